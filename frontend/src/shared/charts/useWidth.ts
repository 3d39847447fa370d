/** How wide an element is, as it changes; until it is measured, as wide as on a small desk. */
import { onScopeDispose, ref, watch, type Ref } from 'vue'

const unmeasured = 640

export function useWidth(element: Readonly<Ref<Element | null>>) {
  const width = ref(unmeasured)
  const observer = new ResizeObserver(([entry]) => { width.value = entry?.contentRect.width || unmeasured })
  watch(element, (now, before) => {
    if (before) observer.unobserve(before)
    if (now) observer.observe(now)
  }, { immediate: true, flush: 'post' })
  onScopeDispose(() => { observer.disconnect() })
  return width
}
