/** The form of a download in an address, so that a link can begin it. */
import type { LocationQuery } from 'vue-router'
import type { Adjustment, Timeframe } from '@/api/market'
import { isDay } from '@/shared/dayRange'
import { adjustmentNames, allTimeframes } from '@/shared/timeframes'
import type { DownloadForm } from './useDownload'

/** What is no such value is left out. */
export function formIn(query: LocationQuery): Partial<DownloadForm> {
  const { provider, symbol, timeframe, adjustment, from, to } = query
  return {
    ...(typeof provider === 'string' ? { provider } : {}),
    ...(typeof symbol === 'string' ? { symbol: symbol.slice(0, 40) } : {}),
    ...(allTimeframes.includes(timeframe as Timeframe) ? { timeframe: timeframe as Timeframe } : {}),
    ...(typeof adjustment === 'string' && Object.hasOwn(adjustmentNames, adjustment) ? { adjustment: adjustment as Adjustment } : {}),
    ...(typeof from === 'string' && isDay(from) ? { from } : {}),
    ...(typeof to === 'string' && isDay(to) ? { to } : {}),
  }
}
