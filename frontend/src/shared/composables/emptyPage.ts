/** One primary button a page: while a list is empty, it is the one that says how to begin, not the one in the head. */
import { inject, type InjectionKey, onMounted, onUnmounted, provide, ref, type Ref } from 'vue'

const key: InjectionKey<Ref<boolean>> = Symbol('empty page')

/** For the page: whether what it lists is empty. */
export function useEmptyPage() {
  const isEmpty = ref(false)
  provide(key, isEmpty)
  return isEmpty
}

/** For what stands there then. */
export function beTheEmptyPage() {
  const isEmpty = inject(key, null)
  if (isEmpty === null) return
  onMounted(() => { isEmpty.value = true })
  onUnmounted(() => { isEmpty.value = false })
}
