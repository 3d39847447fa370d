/** The keyboard in a chart: a crosshair that walks and speaks, zoom, trades. */
import { ref, type Ref } from 'vue'
import { actionOf, type ChartAction } from './keys'
import { marksBetween, nextTrade } from './marks'
import { revealing, zoomed } from './range'
import type { PriceChartState } from './usePriceChart'
import { readOutOf, spokenBar, spokenTrade } from './words'

interface Options {
  singleKeys: Readonly<Ref<boolean>>
  linesAt: () => readonly { name: string, text: string }[]
  leave: () => void
}

export function useChartKeys(state: PriceChartState, chosen: Ref<number | null>, { singleKeys, linesAt, leave: left }: Options) {
  const { bars, book, scale, canvas, at, positions, moment, tick, show } = state
  const spoken = ref('')

  function goTo(wanted: number) {
    const bar = Math.min(bars.value.ts.length - 1, Math.max(0, wanted))
    if (positions.value !== null) {
      const revealed = revealing(positions.value, bar)
      if (revealed !== positions.value) show(revealed)
    }
    canvas.value?.crosshairAt(bars.value, bar)
    at.value = bar
    const [from, to] = marksBetween(book.value, bar, bar)
    const marks = book.value.marks.slice(from, to).slice(0, 3).map(({ side, kind, label }) => `${side} ${kind}${label ? ` ${label}` : ''}`)
    spoken.value = spokenBar(bars.value, bar, readOutOf(bars.value, bar, moment, tick.value), linesAt(), marks)
  }

  function stepTrade(step: 1 | -1) {
    const from = at.value ?? (positions.value === null ? 0 : Math.ceil(step === 1 ? positions.value.from : positions.value.to))
    const trade = nextTrade(book.value, chosen.value, from, step)
    if (trade === null) { spoken.value = step === 1 ? 'This is the last trade.' : 'This is the first trade.'; return }
    chosen.value = trade.index
    if (positions.value !== null) show(revealing(positions.value, trade.first, trade.last))
    spoken.value = spokenTrade(trade, book.value.trades.indexOf(trade) + 1, book.value.trades.length, moment, tick.value)
  }

  function zoom(factor: number) {
    if (positions.value === null) return
    const middle = at.value ?? positions.value.to
    show(zoomed(positions.value, factor, middle, bars.value.ts.length))
  }

  function leave() {
    canvas.value?.crosshairAt(bars.value, null)
    at.value = null
    left()
  }

  function act(action: ChartAction) {
    const last = bars.value.ts.length - 1
    const inView = Math.min(last, Math.floor(positions.value?.to ?? last))
    switch (action.do) {
      case 'move': goTo(at.value === null ? inView : at.value + action.by); break
      case 'end': goTo(action.at === 'first' ? 0 : last); break
      case 'zoom': zoom(action.factor); break
      case 'trade': stepTrade(action.step); break
      case 'log': scale.value = scale.value === 'log' ? 'linear' : 'log'; spoken.value = scale.value === 'log' ? 'Logarithmic scale.' : 'Linear scale.'; break
      case 'leave': leave()
    }
  }

  function press(event: KeyboardEvent) {
    if (event.target !== event.currentTarget) return
    const action = actionOf(event, singleKeys.value)
    if (action === null) return
    event.preventDefault()
    event.stopPropagation()
    act(action)
  }

  return { spoken, press, leave, stepTrade }
}
