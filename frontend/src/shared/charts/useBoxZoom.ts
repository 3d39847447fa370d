/** A box drawn over the chart, by Shift and drag or with the tool in hand: what is in it then fills the view. */
import { onScopeDispose, ref, watch, type Ref } from 'vue'

export interface Box {
  left: number
  top: number
  right: number
  bottom: number
}

const leastPixels = 8

export function useBoxZoom(host: Readonly<Ref<HTMLElement | null>>, inHand: Readonly<Ref<boolean>>, done: (box: Box) => void) {
  const box = ref<Box | null>(null)
  let start: { x: number, y: number, pointer: number } | null = null

  function placeOf(event: PointerEvent) {
    const { left, top } = (host.value as HTMLElement).getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }

  function down(event: PointerEvent) {
    if (event.button !== 0 || !(event.shiftKey || inHand.value)) return
    start = { ...placeOf(event), pointer: event.pointerId }
    host.value?.setPointerCapture(event.pointerId)
    event.preventDefault()
  }

  function move(event: PointerEvent) {
    if (start?.pointer !== event.pointerId) return
    const { x, y } = placeOf(event)
    box.value = { left: Math.min(x, start.x), right: Math.max(x, start.x), top: Math.min(y, start.y), bottom: Math.max(y, start.y) }
  }

  function up(event: PointerEvent) {
    if (start?.pointer !== event.pointerId) return
    const drawn = box.value
    cancel()
    if (event.type === 'pointerup' && drawn !== null && drawn.right - drawn.left >= leastPixels) done(drawn)
  }

  function cancel() {
    start = null
    box.value = null
  }

  /** While a box is drawn the chart must not pan: it listens to these. */
  function withhold(event: Event) {
    const isStarting = event.type === 'mousedown' && ((event as MouseEvent).shiftKey || inHand.value)
    if (start === null && !isStarting && !(inHand.value && event.type.startsWith('touch'))) return
    event.stopPropagation()
    if (event.cancelable) event.preventDefault()
  }

  const heard = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up }
  const withheld = ['mousedown', 'mousemove', 'touchstart', 'touchmove']
  function listen(element: HTMLElement, how: 'addEventListener' | 'removeEventListener') {
    for (const [name, act] of Object.entries(heard)) element[how](name, act as EventListener, { capture: true })
    for (const name of withheld) element[how](name, withhold, { capture: true, passive: false } as AddEventListenerOptions)
  }

  watch(host, (now, before) => {
    if (before) listen(before, 'removeEventListener')
    if (now) listen(now, 'addEventListener')
  }, { immediate: true, flush: 'post' })
  onScopeDispose(() => { if (host.value) listen(host.value, 'removeEventListener') })

  return { box, cancel }
}
