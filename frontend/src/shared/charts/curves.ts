/** Curves brought to one time axis, thinned when there are more points than any screen shows, and their drawdowns. */
import { isNumber } from './bars'
import { firstAt } from './range'
import type { Column, Curve } from './types'

export interface AlignedCurves {
  ts: readonly number[]
  /** One a curve, as long as the times; NaN where the curve has nothing. */
  columns: readonly Column[]
  drawdowns: readonly Column[]
}

export const mostCurves = 20
const mostPoints = 60_000

export function alignedCurves(curves: readonly Curve[]): AlignedCurves {
  const ts = unionOf(curves.map((curve) => curve.ts))
  const columns = curves.map((curve) => alignedTo(ts, curve, curve.values))
  const drawdowns = curves.map((curve, at) => (curve.drawdowns ? alignedTo(ts, curve, curve.drawdowns) : drawdownOf(columns[at] ?? [])))
  const kept = thinned(columns, Math.max(2_000, Math.floor(mostPoints / Math.max(1, curves.length))))
  if (kept === null) return { ts, columns, drawdowns }
  const take = (column: Column) => Float64Array.from(kept, (at) => column[at] ?? Number.NaN)
  return { ts: Array.from(kept, (at) => ts[at] ?? 0), columns: columns.map(take), drawdowns: drawdowns.map(take) }
}

/** How far below its highest point so far, as a fraction from 0 down to −1. */
export function drawdownOf(values: Column): Float64Array {
  let peak = -Infinity
  return Float64Array.from(values, (value) => {
    if (!isNumber(value)) return Number.NaN
    peak = Math.max(peak, value)
    return peak > 0 ? value / peak - 1 : Number.NaN
  })
}

/** The value at a place or the last one before it: a curve with fewer points still has a value there. */
export function valueBy(values: Column, at: number): number | null {
  for (let place = at; place >= 0; place -= 1) {
    const value = values[place]
    if (isNumber(value)) return value
  }
  return null
}

/** Where a curve ends; −1 when it has no value at all. */
export function endOf(values: Column): number {
  let at = values.length - 1
  while (at >= 0 && !isNumber(values[at])) at -= 1
  return at
}

/** From which point on something changed; null when they are other curves. */
export function grownFrom(before: AlignedCurves | null, after: AlignedCurves): number | null {
  if (before === null || before.ts.length === 0 || after.ts.length < before.ts.length) return null
  if (before.columns.length !== after.columns.length) return null
  const last = before.ts.length - 1
  for (let at = 0; at <= last; at += 1) {
    if (before.ts[at] !== after.ts[at]) return null
    if (at < last && before.columns.some((column, curve) => !Object.is(column[at], after.columns[curve]?.[at]))) return null
  }
  return last
}

function unionOf(all: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = all
  if (others.every((ts) => ts === first || (ts.length === first.length && ts.every((time, at) => time === first[at])))) return first
  return [...new Set(all.flat())].sort((a, b) => a - b)
}

function alignedTo(ts: readonly number[], curve: Curve, values: Column): Column {
  if (curve.ts === ts) return values
  const column = new Float64Array(ts.length).fill(Number.NaN)
  curve.ts.forEach((time, at) => { column[firstAt(ts, time)] = values[at] ?? Number.NaN })
  return column
}

/** Of each stretch the lowest, the highest and the last point of every curve. */
function thinned(columns: readonly Column[], most: number): Int32Array | null {
  const count = columns[0]?.length ?? 0
  if (count <= most) return null
  const stretches = Math.max(1, Math.floor(most / (2 * columns.length + 1)))
  const kept = new Set<number>([0])
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const [from, to] = [Math.floor(stretch * count / stretches), Math.floor((stretch + 1) * count / stretches)]
    for (const column of columns) keepExtremes(kept, column, from, to)
    kept.add(to - 1)
  }
  return Int32Array.from(kept).sort()
}

function keepExtremes(kept: Set<number>, column: Column, from: number, to: number) {
  let [low, high] = [-1, -1]
  for (let at = from; at < to; at += 1) {
    const value = column[at]
    if (!isNumber(value)) continue
    if (low < 0 || value < (column[low] ?? Infinity)) low = at
    if (high < 0 || value > (column[high] ?? -Infinity)) high = at
  }
  if (low >= 0) kept.add(low).add(high)
}
