/** The bars that a model was made from, as they would be asked for again. */
import type { ModelCard } from '@/api/modelCards'
import { timeframeSeconds } from './timeframes'

/** The end of a range is not included, so it lies behind the last bar. */
export function trainedRange({ data, series }: Pick<ModelCard, 'data' | 'series'>) {
  const end = Date.parse(data.last) + timeframeSeconds(series.timeframe) * 1_000
  return { start: new Date(data.first).toISOString(), end: new Date(end).toISOString() }
}
