/** What timeframes and adjustments are called, and how long a bar lasts. */
import type { Adjustment, Timeframe } from '@/api/market'

export const adjustmentNames: Record<Adjustment, string> = {
  raw: 'As traded', splits: 'For splits', all: 'For splits and dividends',
}

export const allTimeframes: readonly Timeframe[] = ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '1w']

const units = { m: 'minute', h: 'hour', d: 'day', w: 'week' } as const
const unitSeconds = { m: 60, h: 3_600, d: 86_400, w: 604_800 } as const

/** `1 hour`, `15 minutes`. */
export function timeframeName(timeframe: Timeframe) {
  const count = Number.parseInt(timeframe, 10)
  const unit = units[unitOf(timeframe)]
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`
}

export function timeframeSeconds(timeframe: Timeframe) {
  return Number.parseInt(timeframe, 10) * unitSeconds[unitOf(timeframe)]
}

function unitOf(timeframe: Timeframe) {
  return timeframe.slice(-1) as keyof typeof units
}
