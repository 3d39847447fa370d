/** True once `active` has lasted `delay` milliseconds, so that what is quick never flickers. */
import { onScopeDispose, readonly, ref, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue'

export const SKELETON_DELAY = 150

export function useDelayed(active: MaybeRefOrGetter<boolean>, delay = SKELETON_DELAY): Readonly<Ref<boolean>> {
  const shown = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  watch(() => toValue(active), (isActive) => {
    clearTimeout(timer)
    if (!isActive) shown.value = false
    else timer = setTimeout(() => { shown.value = true }, delay)
  }, { immediate: true })
  onScopeDispose(() => { clearTimeout(timer) })
  return readonly(shown)
}
