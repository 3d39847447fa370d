/** Tasks as the API answers them. */
import type { Task, TaskInFull, TaskPage } from '@/api/tasks'
import { taskInBrief } from './eventServer'

export function task(change: Partial<TaskInFull> = {}): Task {
  return { ...taskInBrief(), about: null, waits_for: null, waits_seconds: null, progress: null, ...change }
}

export function taskInFull(change: Partial<TaskInFull> = {}): TaskInFull {
  return { ...task(), payload: { strategy: 'sma_cross' }, result: null, log_tail: null, ...change }
}

export function pageOf(items: Task[], next_cursor: string | null = null): TaskPage {
  return { items, next_cursor }
}
