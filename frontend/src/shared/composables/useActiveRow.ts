/** The row that the keyboard stands on: j and k, arrows, pages, ends; Enter opens, x selects. */
import { computed, ref, type ComputedRef, type Ref } from 'vue'

interface Options {
  count: () => number
  pageSize: () => number
  /** Letters act only while single-key shortcuts are switched on; arrows always do. */
  singleKeys: () => boolean
  reveal: (index: number) => void
  open: (index: number) => void
  select: (index: number) => void
  exportRows: () => void
  /** More letters, as the page gives them. */
  press: (letter: string, index: number) => boolean
}

export interface ActiveRow {
  index: ComputedRef<number>
  goTo: (index: number) => void
  onKey: (event: KeyboardEvent) => void
}

export function useActiveRow(options: Options): ActiveRow {
  const wanted: Ref<number> = ref(-1)
  // Filters shrink the list under the cursor; it then stands on the last row.
  const index = computed(() => Math.min(wanted.value, options.count() - 1))

  function goTo(next: number): void {
    if (options.count() === 0) return
    wanted.value = Math.max(0, Math.min(options.count() - 1, next))
    options.reveal(wanted.value)
  }

  const moves: Record<string, () => void> = {
    'ArrowDown': () => { goTo(index.value + 1) },
    'ArrowUp': () => { goTo(index.value - 1) },
    'PageDown': () => { goTo(index.value + options.pageSize()) },
    'PageUp': () => { goTo(index.value - options.pageSize()) },
    'Home': () => { goTo(0) },
    'End': () => { goTo(options.count() - 1) },
    'Enter': () => { if (index.value >= 0) options.open(index.value) },
    ' ': () => { if (index.value >= 0) options.select(index.value) },
  }
  const letters: Record<string, (() => void) | undefined> = {
    j: moves.ArrowDown,
    k: moves.ArrowUp,
    x: moves[' '],
    e: () => { options.exportRows() },
  }

  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return
    const act = moves[event.key] ?? (options.singleKeys() ? letters[event.key] : undefined)
    if (act === undefined && !(options.singleKeys() && index.value >= 0 && options.press(event.key, index.value))) return
    event.preventDefault()
    event.stopPropagation()
    act?.()
  }

  return { index, goTo, onKey }
}
