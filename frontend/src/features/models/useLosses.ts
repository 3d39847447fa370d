/** The losses of a training as they are told, lesson by lesson: each telling has those of the lesson at hand alone. */
import { shallowReactive, watch } from 'vue'
import { heardOf } from '@/api/progress'
import type { LossCurve, LossPoint } from './charts/lossShape'

/** The model that is kept learns in a stage of its own, after the folds. */
const kept = 0
/** Stages in which nothing learns yet. */
const before = ['bars', 'features']

export function useLosses(id: string) {
  const losses = shallowReactive<{ curves: readonly LossCurve[], fold: number | undefined }>({ curves: [], fold: undefined })
  let attempt = 0

  watch(() => heardOf(id), (heard) => {
    if (heard === undefined) return
    if (heard.attempt !== attempt) losses.curves = []
    attempt = heard.attempt
    losses.fold = heard.stage === 'folds' ? heard.fold : before.includes(heard.stage) ? undefined : kept
    const isLesson = heard.stage === 'folds' || heard.stage === 'final' // the curve of a control is no news of the model
    if (!isLesson || losses.fold === undefined || heard.curve === undefined) return
    const now: LossCurve = [losses.fold, heard.curve as unknown as readonly LossPoint[]]
    losses.curves = [...losses.curves.filter(([number]) => number !== losses.fold), now]
  }, { immediate: true })

  return losses
}
