/** A grid of figures as shades, and the words for its cells. */
import { isNumber } from './bars'
import type { Grid, GridCell } from './types'

export interface HeatScale {
  low: number
  high: number
  /** Gains and losses on two colours, when the values lie on both sides of zero. */
  isDiverging: boolean
  best: GridCell | null
}

export function heatScaleOf({ values }: Grid, better: 'higher' | 'lower'): HeatScale {
  let [low, high] = [Infinity, -Infinity]
  let best: (GridCell & { value: number }) | null = null
  values.forEach((row, y) => {
    row.forEach((value, x) => {
      if (!isNumber(value)) return
      low = Math.min(low, value)
      high = Math.max(high, value)
      if (best === null || (better === 'higher' ? value > best.value : value < best.value)) best = { x, y, value }
    })
  })
  const found = best as (GridCell & { value: number }) | null
  return { low, high, isDiverging: low < 0 && high > 0, best: found === null ? null : { x: found.x, y: found.y } }
}

/** The colour of a value and how much of it, from 0 to 1. */
export function heatOf(value: number, { low, high, isDiverging }: HeatScale): { token: 'accent' | 'gain' | 'loss', share: number } {
  if (!isDiverging) return { token: 'accent', share: high === low ? 0.5 : 0.08 + 0.92 * (value - low) / (high - low) }
  const most = Math.max(high, -low)
  return { token: value < 0 ? 'loss' : 'gain', share: Math.abs(value) / most }
}

export function cellWords({ x, y, values }: Grid, cell: GridCell, write: (value: number | null) => string) {
  const value = values[cell.y]?.[cell.x] ?? null
  return `${y.name} ${y.values[cell.y]}, ${x.name} ${x.values[cell.x]}: ${isNumber(value) ? write(value) : 'no result'}`
}

/** Where a key leads; the same place at a border. */
export function stepped({ x, y }: Grid, { x: column, y: row }: GridCell, key: string): GridCell | null {
  const [right, bottom] = [x.values.length - 1, y.values.length - 1]
  const places: Record<string, GridCell> = {
    ArrowLeft: { x: Math.max(0, column - 1), y: row },
    ArrowRight: { x: Math.min(right, column + 1), y: row },
    ArrowUp: { x: column, y: Math.max(0, row - 1) },
    ArrowDown: { x: column, y: Math.min(bottom, row + 1) },
    Home: { x: 0, y: row },
    End: { x: right, y: row },
    PageUp: { x: column, y: 0 },
    PageDown: { x: column, y: bottom },
  }
  return places[key] ?? null
}
