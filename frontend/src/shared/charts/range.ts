/** Which bars are in view: between times, which people mean, and positions, which the chart counts. */
import type { ChartView, Scale } from './types'

/** Positions of bars; fractions lie between two of them, and both ends may lie outside. */
export interface Positions {
  from: number
  to: number
}

export type RangePreset = '1D' | '1W' | '1M' | '3M' | '6M' | 'YTD' | '1Y' | '5Y' | 'All'

const day = 86_400_000
const presetDays: Record<Exclude<RangePreset, 'YTD' | 'All'>, number> = {
  '1D': 1, '1W': 7, '1M': 30.5, '3M': 91.5, '6M': 183, '1Y': 365.25, '5Y': 1826.25,
}
const presetOrder: readonly RangePreset[] = ['1D', '1W', '1M', '3M', '6M', 'YTD', '1Y', '5Y', 'All']
const fewestBars = 5
/** Empty room on the right, in parts of what is shown. */
export const rightRoom = 0.02

/** The first bar at or after a time; the length when all lie before it. */
export function firstAt(ts: readonly number[], time: number): number {
  let [low, high] = [0, ts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ts[middle] ?? 0) < time) low = middle + 1
    else high = middle
  }
  return low
}

/** The bar whose time this is in: the last one that began before it, at least the first. */
export function barAt(ts: readonly number[], time: number): number {
  const next = firstAt(ts, time)
  return ts[next] === time ? next : Math.max(0, next - 1)
}

export function positionOf(ts: readonly number[], time: number, rhythm: number): number {
  const last = ts.length - 1
  const [first, end] = [ts[0] ?? 0, ts[last] ?? 0]
  if (time <= first) return (time - first) / rhythm
  if (time >= end) return last + (time - end) / rhythm
  const at = barAt(ts, time)
  const [start, next] = [ts[at] ?? 0, ts[at + 1] ?? 0]
  return at + (time - start) / (next - start)
}

export function timeOf(ts: readonly number[], position: number, rhythm: number): number {
  const last = ts.length - 1
  if (position <= 0) return (ts[0] ?? 0) + position * rhythm
  if (position >= last) return (ts[last] ?? 0) + (position - last) * rhythm
  const at = Math.floor(position)
  return (ts[at] ?? 0) + (position - at) * ((ts[at + 1] ?? 0) - (ts[at] ?? 0))
}

export function viewOf(positions: Positions, ts: readonly number[], rhythm: number, scale: Scale): ChartView {
  return {
    from: Math.round(timeOf(ts, positions.from, rhythm)),
    to: Math.round(timeOf(ts, positions.to, rhythm)),
    scale,
    follows: positions.to >= ts.length - 1,
  }
}

/** Where a view lies in these bars; null when none of them is in it. */
export function positionsOf(view: ChartView, ts: readonly number[], rhythm: number): Positions | null {
  if (!(view.from < view.to)) return null
  const [from, to] = [positionOf(ts, view.from, rhythm), positionOf(ts, view.to, rhythm)]
  const last = ts.length - 1
  if (view.follows && to < last) return { from: last - (to - from) * (1 - rightRoom), to: last + (to - from) * rightRoom }
  return to < 0 || from > last ? null : { from, to }
}

/** The shortest presets that show something, and no longer ones than there are bars for. */
export function presetsFor(ts: readonly number[], rhythm: number): RangePreset[] {
  const length = (ts.at(-1) ?? 0) - (ts[0] ?? 0)
  return presetOrder.filter((preset) => {
    if (preset === 'All') return true
    const wanted = preset === 'YTD' ? sinceNewYear(ts) : presetDays[preset] * day
    return wanted >= fewestBars * rhythm && wanted < length
  })
}

export function presetPositions(preset: RangePreset, ts: readonly number[]): Positions {
  const last = ts.length - 1
  const end = ts[last] ?? 0
  const start = preset === 'All' ? 0 : firstAt(ts, end - (preset === 'YTD' ? sinceNewYear(ts) : presetDays[preset] * day))
  return roomy(start, last)
}

export function roomy(first: number, last: number, room = rightRoom): Positions {
  const least = Math.max(last - first, fewestBars)
  return { from: last - least - 0.5, to: last + 0.5 + least * room }
}

/** Whether every bar is in view, whatever room is left beside them. */
export function coversAll({ from, to }: Positions, count: number): boolean {
  return from <= 0 && to >= count - 1
}

/** As wide as before, around another bar. */
export function centred(positions: Positions, at: number): Positions {
  const half = (positions.to - positions.from) / 2
  return { from: at - half, to: at + half }
}

/** Moved no further than needed to show these bars; widened when they do not fit. */
export function revealing(positions: Positions, first: number, last = first): Positions {
  const width = positions.to - positions.from
  const margin = Math.min(5, width / 10)
  if (last - first + 2 * margin > width) {
    const room = Math.max(margin, (last - first) * 0.1)
    return { from: first - room, to: last + room }
  }
  if (first - margin < positions.from) return { from: first - margin, to: first - margin + width }
  if (last + margin > positions.to) return { from: last + margin - width, to: last + margin }
  return positions
}

/** Nearer with a factor below one, around a bar that stays where it is. */
export function zoomed(positions: Positions, factor: number, around: number, count: number): Positions {
  const width = positions.to - positions.from
  const wanted = Math.min(Math.max(width * factor, fewestBars), Math.max(count * 1.5, 50))
  const share = Math.min(1, Math.max(0, (around - positions.from) / width))
  return { from: around - share * wanted, to: around + (1 - share) * wanted }
}

function sinceNewYear(ts: readonly number[]) {
  const end = ts.at(-1) ?? 0
  return end - Date.UTC(new Date(end).getUTCFullYear(), 0, 1)
}
