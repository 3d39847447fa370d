/** Which bars are shown at first, and how finely their prices are written. */
import type { Series, Span } from '@/api/market'
import { timeframeSeconds } from '@/shared/timeframes'

/** Long enough for so many bars of a market that never closes; where nothing is stored, the last day. */
export function latestSpan({ timeframe, stored }: Pick<Series, 'timeframe' | 'stored'>, count: number): Span {
  const length = timeframeSeconds(timeframe) * 1_000
  const end = (stored?.last ? Date.parse(stored.last) : Date.now()) + length
  const sinceFirst = stored?.first ? Date.parse(stored.first) : -Infinity
  // Exchanges are open for a quarter of the hours of a day, and on five days of seven.
  const open = stored?.instrument.calendar === '24/7' ? 1 : timeframe.endsWith('d') ? 7 / 5 : timeframe.endsWith('w') ? 1 : 5
  return { start: new Date(Math.max(sinceFirst, end - count * length * open)).toISOString(), end: new Date(end).toISOString() }
}

/** Where no tick is known: five digits that say something. */
export function stepOf(prices: readonly number[]) {
  const largest = Math.max(...prices.slice(-500), 0)
  if (largest === 0) return undefined
  return 1 / 10 ** Math.max(0, 4 - Math.floor(Math.log10(largest)))
}
