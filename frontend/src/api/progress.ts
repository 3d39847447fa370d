/** How far the running tasks are, by the last word of each: apart from what was asked, so that a word redraws one bar and no table. */
import { shallowReactive } from 'vue'
import type { Progress, Task, TaskInFull } from './tasks'

export interface LiveProgress extends Progress {
  id: string
  attempt: number
  /** The last lines that it printed; absent where they are the same as before. */
  log_tail?: string | null
  /** Of a backtest: how far it has come in its own time. */
  current_date?: string
  /** Of a backtest: its equity until then, thinned, as pairs of seconds since 1970 and money. Of a training: the losses by round. */
  curve?: readonly (readonly [at: number, value: number, ...more: number[]])[]
  /** Of a training: those of all folds until now, thinner; 0 is the model that is kept. */
  curves?: readonly (readonly [fold: number, curve: readonly (readonly [at: number, value: number, ...more: number[]])[]])[]
  /** Of a training: which fold learns, from 1. */
  fold?: number
}

const latest = shallowReactive(new Map<string, LiveProgress>())

export function hearProgress(progress: LiveProgress) {
  const known = latest.get(progress.id)
  const isSameRun = known?.attempt === progress.attempt
  latest.set(progress.id, isSameRun ? { ...lasting(known), ...progress } : progress)
}

/** What stays as it was told until it is told anew. */
function lasting({ log_tail, current_date, curve, curves }: LiveProgress) {
  return { log_tail, current_date, curve, curves }
}

/** What a task said last since this page was opened. */
export function heardOf(id: string): LiveProgress | undefined {
  return latest.get(id)
}

export function forgetProgress(id?: string) {
  if (id === undefined) latest.clear()
  else latest.delete(id)
}

/** What was heard last, else what the answer said. */
export function progressOf(task: Pick<Task, 'id' | 'state' | 'attempts' | 'progress'>): Progress | null {
  if (task.state !== 'running') return null
  const heard = latest.get(task.id)
  return heard !== undefined && heard.attempt === task.attempts ? heard : task.progress
}

export function logOf(task: Pick<TaskInFull, 'id' | 'state' | 'attempts' | 'log_tail'>): string | null {
  const heard = latest.get(task.id)
  const isCurrent = task.state === 'running' && heard?.attempt === task.attempts
  return (isCurrent ? heard.log_tail : null) ?? task.log_tail
}
