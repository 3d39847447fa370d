/** A value once it has rested, so that nobody is asked at every key. */
import { onScopeDispose, readonly, type Ref, shallowRef, watch } from 'vue'

export function useSettled<Value>(source: Ref<Value>, milliseconds: number): Readonly<Ref<Value>> {
  const settled = shallowRef(source.value)
  let timer: ReturnType<typeof setTimeout> | undefined
  watch(source, (value) => {
    clearTimeout(timer)
    timer = setTimeout(() => { settled.value = value }, milliseconds)
  })
  onScopeDispose(() => { clearTimeout(timer) })
  return readonly(settled) as Readonly<Ref<Value>>
}
