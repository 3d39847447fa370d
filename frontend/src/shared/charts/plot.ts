/** Axes and bins for charts that are drawn as SVG. */
import { isNumber } from './bars'
import type { Bin, Column } from './types'

/** Round numbers that span the values, about so many; always with zero between them when signs differ. */
export function ticksOf(low: number, high: number, wanted = 5): number[] {
  if (!(low < high)) return [low]
  const rough = (high - low) / wanted
  const unit = 10 ** Math.floor(Math.log10(rough))
  const step = unit * ([1, 2, 2.5, 5, 10].find((factor) => factor * unit >= rough) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step)
}

/** From the least to the largest, with zero in it and a little room. */
export function spanOf(values: Column): [number, number] {
  let [low, high] = [0, 0]
  for (const value of Array.from(values)) {
    if (!isNumber(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low === high) return [0, 1]
  const room = (high - low) * 0.06
  return [low < 0 ? low - room : 0, high > 0 ? high + room : 0]
}

/** Bins of one round width with an edge at zero, so that no bin holds gains and losses. */
export function binsOf(values: Column, wanted = 30): Bin[] {
  const known = Array.from(values).filter(isNumber)
  if (known.length === 0) return []
  const low = known.reduce((least, value) => Math.min(least, value))
  const high = known.reduce((most, value) => Math.max(most, value))
  const edges = ticksOf(low, high, wanted)
  const step = edges.length > 1 ? (edges[1] ?? 0) - (edges[0] ?? 0) : Math.abs(low) || 1
  const first = Math.floor(low / step + 1e-9)
  const count = Math.floor(high / step + 1e-9) - first + 1
  const bins = Array.from({ length: count }, (_, at) => ({ from: (first + at) * step, to: (first + at + 1) * step, count: 0 }))
  for (const value of known) {
    const bin = bins[Math.min(count - 1, Math.max(0, Math.floor(value / step + 1e-9) - first))]
    if (bin !== undefined) bin.count += 1
  }
  return bins
}

/** So many labels fit; each of them is this many apart. */
export function strideOf(count: number, width: number, labelWidth: number) {
  return Math.max(1, Math.ceil(count * labelWidth / Math.max(1, width)))
}
