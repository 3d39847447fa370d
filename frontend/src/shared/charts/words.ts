/** What a chart says: beside the crosshair, aloud, and about a trade. */
import { change, compact, integer, money, price } from '../format'
import { isNumber, isWhole, type OrderedBars } from './bars'
import type { Trade } from './marks'

export interface ReadOut {
  time: string
  open: string
  high: string
  low: string
  close: string
  change: string
  volume: string | null
}

export function readOutOf(bars: OrderedBars, at: number, moment: (ms: number) => string, tick?: number): ReadOut {
  const before = bars.close[at - 1]
  const close = bars.close[at]
  const isKnown = isNumber(before) && isNumber(close) && before !== 0
  return {
    time: moment(bars.ts[at] ?? 0),
    open: price(bars.open[at], tick),
    high: price(bars.high[at], tick),
    low: price(bars.low[at], tick),
    close: price(close, tick),
    change: change(isKnown ? close / before - 1 : null),
    volume: bars.volume === undefined ? null : compact(bars.volume[at]),
  }
}

/** A bar as a sentence, then the lines at it and the trades that begin or end there. */
export function spokenBar(
  bars: OrderedBars, at: number, read: ReadOut, lines: readonly { name: string, text: string }[], marks: readonly string[],
) {
  if (!isWhole(bars, at)) return `${read.time}: no prices.`
  const rest = [...lines.map(({ name, text }) => `${name} ${text}`), ...marks]
  const volume = read.volume === null ? '' : `, volume ${read.volume}`
  const more = rest.length === 0 ? '' : ` ${rest.join(', ')}.`
  return `${read.time}: close ${read.close}, ${read.change}. Open ${read.open}, high ${read.high}, low ${read.low}${volume}.${more}`
}

export function spokenTrade({ entry, exit, index }: Trade, place: number, count: number, moment: (ms: number) => string, tick?: number) {
  const side = (entry ?? exit)?.side ?? 'long'
  const parts = [`Trade ${integer(place)} of ${integer(count)}, number ${integer(index + 1)}, ${side}`]
  if (entry !== null) parts.push(`in at ${price(entry.price, tick)} on ${moment(entry.time)}`)
  if (exit === null) parts.push('still open')
  else parts.push(`out at ${price(exit.price, tick)} on ${moment(exit.time)}`, exit.label ?? profitText(exit.profit))
  return `${parts.filter((part) => part !== '').join(', ')}.`
}

function profitText(profit: number | null | undefined) {
  return isNumber(profit) ? `made ${money(profit, '', { signed: true })}` : ''
}
