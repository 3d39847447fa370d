/** j and k begin in the first list of a page without a way there by Tab, while nothing else has the focus. */
import { onBeforeUnmount, onMounted, type Ref } from 'vue'
import { dialogIsOpen } from '../keyboard'
import type { ActiveRow } from './useActiveRow'

const steps: Record<string, number> = { j: 1, k: -1 }

export function useListKeys(table: Readonly<Ref<HTMLElement | null>>, active: ActiveRow, singleKeys: () => boolean) {
  function press(event: KeyboardEvent) {
    const by = steps[event.key]
    if (by === undefined || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !singleKeys()) return
    const isFirst = table.value !== null && document.querySelector('[role=grid]') === table.value
    if (!isFirst || !isNobody(event.target) || dialogIsOpen()) return
    event.preventDefault()
    table.value?.focus()
    active.goTo(active.index.value < 0 ? 0 : active.index.value + by)
  }

  onMounted(() => { window.addEventListener('keydown', press) })
  onBeforeUnmount(() => { window.removeEventListener('keydown', press) })
}

/** The page, or a part of it that only holds the focus after somebody came there. */
function isNobody(target: EventTarget | null) {
  return target instanceof HTMLElement && target.tabIndex === -1 && !target.matches('button, a, input, select, textarea, [role]')
}
