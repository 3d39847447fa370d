/** Bars made fit for drawing: ascending, each time once, with their rhythm and its breaks. */
import type { Bars, Column } from './types'

export interface OrderedBars extends Bars {
  /** Where each bar stood in what was given; null when nothing had to move. */
  order: Int32Array | null
}

/** As given when the times ascend, else sorted; of two bars at one time the later given counts. */
export function orderedBars(bars: Bars): OrderedBars {
  const { ts } = bars
  if (ascends(ts)) return { ...bars, order: null }
  const all = Int32Array.from(ts.keys()).sort((a, b) => (ts[a] ?? 0) - (ts[b] ?? 0) || a - b)
  const order = all.filter((place, at) => Number.isFinite(ts[place]) && ts[place] !== ts[all[at + 1] ?? -1])
  const take = (column: Column) => takenBy(order, column)
  return {
    ts: Array.from(order, (place) => ts[place] ?? 0),
    open: take(bars.open),
    high: take(bars.high),
    low: take(bars.low),
    close: take(bars.close),
    volume: bars.volume === undefined ? undefined : take(bars.volume),
    order,
  }
}

/** A column beside the bars, in the order in which they are drawn. */
export function takenBy(order: Int32Array | null, column: Column): Column {
  return order === null ? column : Float64Array.from(order, (place) => column[place] ?? Number.NaN)
}

function ascends(ts: readonly number[]) {
  for (let at = 0; at < ts.length; at += 1) {
    if (!((ts[at] ?? Number.NaN) > (ts[at - 1] ?? -Infinity))) return false
  }
  return true
}

export function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** Whether there is a candle to draw. */
export function isWhole({ open, high, low, close }: Bars, at: number) {
  return isNumber(open[at]) && isNumber(high[at]) && isNumber(low[at]) && isNumber(close[at])
}

/** The newest bar that has prices. */
export function lastWhole(bars: Bars): number | null {
  for (let at = bars.ts.length - 1; at >= 0; at -= 1) if (isWhole(bars, at)) return at
  return null
}

/** The usual distance between two bars, in milliseconds: the median of a sample, so that nights and gaps do not count. */
export function rhythmOf(ts: readonly number[]): number {
  const stride = Math.max(1, Math.floor(ts.length / 500))
  const steps: number[] = []
  for (let at = 1; at < ts.length; at += stride) steps.push((ts[at] ?? 0) - (ts[at - 1] ?? 0))
  return steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 60_000
}

/** Bars that stand after a break: a night, a weekend, or bars that are missing. */
export function breaksOf(ts: readonly number[], rhythm = rhythmOf(ts)): number[] {
  const breaks: number[] = []
  for (let at = 1; at < ts.length; at += 1) {
    if ((ts[at] ?? 0) - (ts[at - 1] ?? 0) > 1.5 * rhythm) breaks.push(at)
  }
  return breaks
}

/** A price step where no tick is known: five digits that say something. */
export function tickOf(prices: Column): number | undefined {
  let largest = 0
  for (let at = Math.max(0, prices.length - 500); at < prices.length; at += 1) largest = Math.max(largest, Math.abs(prices[at] ?? 0) || 0)
  if (largest === 0) return undefined
  return 1 / 10 ** Math.min(10, Math.max(0, 4 - Math.floor(Math.log10(largest))))
}

/** From which bar on something changed; the length when nothing did, null when the start is another one. */
export function changedFrom(before: Bars | null, after: Bars): number | null {
  if (before === null || before.ts.length === 0 || after.ts.length < before.ts.length) return null
  const last = before.ts.length - 1
  for (let at = 0; at < last; at += 1) {
    if (before.ts[at] !== after.ts[at] || !sameBar(before, after, at)) return null
  }
  if (before.ts[last] !== after.ts[last]) return null
  return sameBar(before, after, last) && after.ts.length === before.ts.length ? after.ts.length : last
}

function sameBar(before: Bars, after: Bars, at: number) {
  return Object.is(before.close[at], after.close[at]) && Object.is(before.open[at], after.open[at])
    && Object.is(before.high[at], after.high[at]) && Object.is(before.low[at], after.low[at])
    && Object.is(before.volume?.[at], after.volume?.[at])
}
