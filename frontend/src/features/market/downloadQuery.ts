/** The form of a download in an address, so that a link can begin it. */
import type { LocationQuery } from 'vue-router'
import type { Adjustment, Timeframe } from '@/api/market'
import { adjustmentNames } from './seriesWords'
import type { DownloadForm } from './useDownload'
import { isDay } from './ranges'

const timeframes: readonly Timeframe[] = ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '1w']

/** What is no such value is left out. */
export function formIn(query: LocationQuery): Partial<DownloadForm> {
  const { provider, symbol, timeframe, adjustment, from, to } = query
  return {
    ...(typeof provider === 'string' ? { provider } : {}),
    ...(typeof symbol === 'string' ? { symbol: symbol.slice(0, 40) } : {}),
    ...(timeframes.includes(timeframe as Timeframe) ? { timeframe: timeframe as Timeframe } : {}),
    ...(typeof adjustment === 'string' && Object.hasOwn(adjustmentNames, adjustment) ? { adjustment: adjustment as Adjustment } : {}),
    ...(typeof from === 'string' && isDay(from) ? { from } : {}),
    ...(typeof to === 'string' && isDay(to) ? { to } : {}),
  }
}
