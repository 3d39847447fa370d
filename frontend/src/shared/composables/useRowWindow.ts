/** The rows of a long table that are near the eye. All are equally high, so that where one stands is one multiplication. */
import { computed, onMounted, onScopeDispose, ref, type Ref } from 'vue'

const rowsAround = 6

interface LongTable {
  /** What scrolls; its head stays at the top. */
  scroller: Readonly<Ref<HTMLElement | null>>
  /** As high as a row: density and touch change that. */
  probe: Readonly<Ref<HTMLElement | null>>
  count: () => number
}

export function useRowWindow({ scroller, probe, count }: LongTable) {
  const rowHeight = ref(36)
  const height = ref(480)
  const top = ref(0)

  const visible = computed(() => Math.ceil(height.value / rowHeight.value))
  const first = computed(() => Math.max(0, Math.min(Math.floor(top.value / rowHeight.value), count() - visible.value) - rowsAround))
  const end = computed(() => Math.min(count(), Math.floor(top.value / rowHeight.value) + visible.value + 1 + rowsAround))
  const indexes = computed(() => Array.from({ length: Math.max(0, end.value - first.value) }, (_, at) => first.value + at))

  function look() {
    top.value = scroller.value?.scrollTop ?? 0
    height.value = scroller.value?.clientHeight || height.value // 0 while hidden
    rowHeight.value = probe.value?.offsetHeight || rowHeight.value
  }

  /** Scrolls no further than it takes to see the whole row beneath the head. */
  function reveal(index: number) {
    const element = scroller.value
    if (element === null) return
    look()
    const head = element.querySelector('thead')?.offsetHeight ?? 0
    const start = index * rowHeight.value
    const lowest = head + start + rowHeight.value - height.value
    element.scrollTop = Math.min(start, Math.max(lowest, element.scrollTop))
    look()
  }

  const observer = new ResizeObserver(look)
  onMounted(() => {
    look()
    scroller.value?.addEventListener('scroll', look, { passive: true })
    for (const element of [scroller.value, probe.value]) if (element !== null) observer.observe(element)
  })
  onScopeDispose(() => { observer.disconnect() })

  return {
    indexes,
    /** One past the last row in the page. */
    end,
    spaceAbove: computed(() => first.value * rowHeight.value),
    spaceBelow: computed(() => (count() - end.value) * rowHeight.value),
    pageSize: () => Math.max(1, Math.floor(height.value / rowHeight.value) - 2),
    reveal,
  }
}
