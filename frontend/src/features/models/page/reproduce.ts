/** The training that made a model, as it would be asked for again. */
import type { TrainingWanted } from '@/api/models'
import { timeframeSeconds } from '@/shared/timeframes'
import type { TrainedModel } from './modelTabs'

/** The end of a range is not included, so it lies behind the last bar. */
export function trainedAs({ series, spec, card }: Pick<TrainedModel, 'series' | 'spec' | 'card'>): TrainingWanted & { threads: number } {
  const { first, last } = card.data
  const end = new Date(Date.parse(last) + timeframeSeconds(series.timeframe) * 1_000).toISOString()
  return { series, start: new Date(first).toISOString(), end, spec, name: null, threads: card.made.threads }
}
