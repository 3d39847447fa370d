/** The training that made a model, as it would be asked for again. */
import type { TrainingWanted } from '@/api/models'
import { trainedRange } from '@/shared/trainedRange'
import type { TrainedModel } from './modelTabs'

export function trainedAs({ series, spec, card }: Pick<TrainedModel, 'series' | 'spec' | 'card'>): TrainingWanted & { threads: number } {
  return { series, ...trainedRange(card), spec, name: null, threads: card.made.threads }
}
