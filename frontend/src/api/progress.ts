/** How far the running tasks are, by the last word of each: apart from what was asked, so that a word redraws one bar and no table. */
import { shallowReactive } from 'vue'
import type { Progress, Task } from './tasks'

export interface LiveProgress extends Progress {
  id: string
  attempt: number
  log_tail: string | null
}

const latest = shallowReactive(new Map<string, LiveProgress>())

export function hearProgress(progress: LiveProgress) {
  latest.set(progress.id, progress)
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

export function logOf(task: Pick<Task, 'id' | 'state' | 'attempts'>): string | null {
  const heard = latest.get(task.id)
  return task.state === 'running' && heard?.attempt === task.attempts ? heard.log_tail : null
}
