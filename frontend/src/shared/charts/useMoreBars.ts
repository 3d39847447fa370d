/** Asks for the bars before those that are loaded once their start comes into view, one question at a time. */
import { ref, watch } from 'vue'
import { firstAt } from './range'
import type { MoreWanted } from './types'
import type { PriceChartState } from './usePriceChart'

export type LoadMore = (wanted: MoreWanted) => Promise<unknown>
const nearBars = 10

export function useMoreBars({ bars, positions, show }: PriceChartState, loadMore: () => LoadMore | undefined) {
  const state = ref<'idle' | 'loading' | 'failed'>('idle')
  /** The edge at which nothing more came. */
  let exhausted = Number.NaN

  watch([positions, bars], () => {
    if (state.value === 'idle' && positions.value !== null && positions.value.from < nearBars) void ask('before')
  })

  async function ask(side: MoreWanted['side'], time?: number) {
    const load = loadMore()
    const edge = (side === 'before' ? bars.value.ts[0] : bars.value.ts.at(-1)) ?? Number.NaN
    if (load === undefined || state.value === 'loading' || Number.isNaN(edge) || (time === undefined && edge === exhausted)) return
    state.value = 'loading'
    try {
      await load({ side, edge, time })
      state.value = 'idle'
      if (((side === 'before' ? bars.value.ts[0] : bars.value.ts.at(-1)) ?? Number.NaN) === edge) exhausted = edge
    } catch {
      state.value = 'failed'
    }
  }

  /** To a date, which may lie outside of what is loaded. */
  async function goTo(time: number) {
    const [first, last] = [bars.value.ts[0] ?? 0, bars.value.ts.at(-1) ?? 0]
    if (time < first) await ask('before', time)
    else if (time > last) await ask('after', time)
    const width = positions.value === null ? 100 : positions.value.to - positions.value.from
    const middle = Math.min(bars.value.ts.length - 1, firstAt(bars.value.ts, time))
    show({ from: middle - width / 2, to: middle + width / 2 })
    return middle
  }

  return { state, goTo, retry: () => { state.value = 'idle'; void ask('before') } }
}
