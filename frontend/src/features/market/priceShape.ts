/** Prices as a shape of a given width: for each stretch the lowest, the highest and the last, so that no spike is lost. */
import type { Bars } from '@/api/market'

export interface Stretch {
  start: number
  /** The start of its last bar. */
  last: number
  low: number
  high: number
  close: number
}

export interface PriceShape {
  stretches: Stretch[]
  low: number
  high: number
}

export function shapeOf({ ts, low, high, close }: Pick<Bars, 'ts' | 'low' | 'high' | 'close'>, most = 240): PriceShape {
  const count = Math.min(most, ts.length)
  const stretches: Stretch[] = []
  for (let at = 0; at < count; at += 1) {
    const from = Math.floor(at * ts.length / count)
    const to = Math.floor((at + 1) * ts.length / count)
    const stretch = { start: ts[from] ?? 0, last: ts[to - 1] ?? 0, low: Infinity, high: -Infinity, close: close[to - 1] ?? 0 }
    for (let bar = from; bar < to; bar += 1) {
      stretch.low = Math.min(stretch.low, low[bar] ?? Infinity)
      stretch.high = Math.max(stretch.high, high[bar] ?? -Infinity)
    }
    stretches.push(stretch)
  }
  return {
    stretches,
    low: Math.min(...stretches.map((one) => one.low)),
    high: Math.max(...stretches.map((one) => one.high)),
  }
}

export interface Paths {
  band: string
  line: string
}

/** As SVG paths in a box of this size; prices that never move lie in the middle. */
export function pathsOf({ stretches, low, high }: PriceShape, width: number, height: number): Paths {
  const room = high - low || 1
  const x = (at: number) => round(stretches.length < 2 ? width / 2 : at * width / (stretches.length - 1))
  const y = (price: number) => round(high === low ? height / 2 : (high - price) * height / room)
  const upper = stretches.map((one, at) => `${x(at)} ${y(one.high)}`)
  const lower = stretches.map((one, at) => `${x(at)} ${y(one.low)}`).reverse()
  return {
    band: stretches.length === 0 ? '' : `M${[...upper, ...lower].join('L')}Z`,
    line: stretches.length === 0 ? '' : `M${stretches.map((one, at) => `${x(at)} ${y(one.close)}`).join('L')}`,
  }
}

function round(number: number) {
  return Math.round(number * 100) / 100
}
