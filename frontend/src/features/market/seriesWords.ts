/** What a series is called, and where more of it comes from. */
import type { Series } from '@/api/market'

export function seriesName({ symbol, timeframe }: Pick<Series, 'symbol' | 'timeframe'>) {
  return `${symbol} ${timeframe}`
}

/** Whose it is, in the words of the catalogue. */
export function ownerName({ is_own: isOwn }: Pick<Series, 'is_own'>) {
  return isOwn ? 'Yours' : 'Shared'
}

/** Where more bars of a series come from. */
export function moreOf({ is_own: isOwn, provider, symbol, timeframe, adjustment }: Series) {
  const id = isOwn ? 'upload' : 'download'
  return { name: 'data', params: { id }, query: isOwn ? { symbol } : { provider, symbol, timeframe, adjustment } }
}
