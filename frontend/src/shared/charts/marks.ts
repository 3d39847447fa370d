/** Marks of trades, sorted once so that each frame looks only at those in view. */
import { barAt } from './range'
import type { Mark } from './types'

export interface PlacedMark extends Mark {
  bar: number
}

export interface Trade {
  index: number
  entry: PlacedMark | null
  exit: PlacedMark | null
  first: number
  last: number
}

export interface MarkBook {
  marks: readonly PlacedMark[]
  /** By their first bar. */
  trades: readonly Trade[]
  byIndex: ReadonlyMap<number, Trade>
  /** The furthest last bar among this trade and all before it: those that end too early are skipped at once. */
  reach: readonly number[]
}

/** Marks outside of the bars are left out: a page that loads more of them gives them again. */
export function markBook(marks: readonly Mark[], ts: readonly number[], rhythm: number): MarkBook {
  const [start, end] = [ts[0] ?? Infinity, (ts.at(-1) ?? -Infinity) + rhythm]
  const placed = marks
    .filter(({ time, price }) => time >= start && time < end && Number.isFinite(price))
    .map((mark) => ({ ...mark, bar: barAt(ts, mark.time) }))
    .sort((a, b) => a.bar - b.bar)
  const byIndex = new Map<number, Trade>()
  for (const mark of placed) {
    const trade = byIndex.get(mark.tradeIndex) ?? { index: mark.tradeIndex, entry: null, exit: null, first: mark.bar, last: mark.bar }
    if (mark.kind === 'entry') trade.entry ??= mark
    if (mark.kind === 'exit') trade.exit = mark
    trade.last = Math.max(trade.last, mark.bar)
    byIndex.set(mark.tradeIndex, trade)
  }
  const trades = [...byIndex.values()].sort((a, b) => a.first - b.first || a.index - b.index)
  let furthest = -1
  const reach = trades.map(({ last }) => (furthest = Math.max(furthest, last)))
  return { marks: placed, trades, byIndex, reach }
}

export const noMarks: MarkBook = { marks: [], trades: [], byIndex: new Map(), reach: [] }

/** From which mark to which one: those on the bars from `first` to `last`. */
export function marksBetween({ marks }: MarkBook, first: number, last: number): [number, number] {
  const search = (bar: number) => firstWhere(marks.length, (at) => (marks[at]?.bar ?? 0) >= bar)
  return [search(Math.ceil(first)), search(Math.floor(last) + 1)]
}

/** Trades of which some part lies in view, also those that began before it and end after it; at most so many. */
export function tradesBetween({ trades, reach }: MarkBook, first: number, last: number, most = Infinity): Trade[] {
  const found: Trade[] = []
  const start = firstWhere(trades.length, (at) => (reach[at] ?? 0) >= first)
  for (let at = start; at < trades.length && found.length < most; at += 1) {
    const trade = trades[at]
    if (trade === undefined || trade.first > last) break
    if (trade.last >= first) found.push(trade)
  }
  return found
}

/** The next trade after the chosen one, or after a bar while none is chosen; null at the end. */
export function nextTrade({ trades }: MarkBook, chosen: number | null, bar: number, step: 1 | -1): Trade | null {
  const at = chosen === null ? -1 : trades.findIndex(({ index }) => index === chosen)
  if (at >= 0) return trades[at + step] ?? null
  const next = firstWhere(trades.length, (place) => (trades[place]?.first ?? 0) >= bar)
  return (step === 1 ? trades[next] : trades[next - 1]) ?? null
}

/** The first place for which a condition holds that, once it holds, holds on. */
function firstWhere(length: number, holds: (at: number) => boolean) {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
