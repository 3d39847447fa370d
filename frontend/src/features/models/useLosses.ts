/** The losses of a training as they are told: each telling has the lesson at hand in full, and all before it thinner. */
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
    losses.curves = longest(losses.curves, (heard.curves ?? []) as unknown as readonly LossCurve[])
    const isLesson = heard.stage === 'folds' || heard.stage === 'final' // the curve of a control is no news of the model
    if (!isLesson || losses.fold === undefined || heard.curve === undefined) return
    const now: LossCurve = [losses.fold, heard.curve as unknown as readonly LossPoint[]]
    losses.curves = [...losses.curves.filter(([number]) => number !== losses.fold), now]
  }, { immediate: true })

  return losses
}

/** What was told in full, unless it has gone on since. */
function longest(known: readonly LossCurve[], told: readonly LossCurve[]): readonly LossCurve[] {
  const better = told.filter(([fold, points]) => roundsIn(points) > roundsIn(known.find(([number]) => number === fold)?.[1]))
  if (better.length === 0) return known
  const folds = new Set(better.map(([fold]) => fold))
  return [...known.filter(([fold]) => !folds.has(fold)), ...better]
}

function roundsIn(points: readonly LossPoint[] | undefined) {
  return points?.at(-1)?.[0] ?? 0
}
