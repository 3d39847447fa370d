/** Events in words: what happened to a task, and when. */
import type { TaskChanged } from '@/api/events'
import { duration, integer } from '@/shared/format'
import { isStopping } from '@/shared/taskNames'
import { took } from '@/shared/taskColumns'

export function saying({ task }: TaskChanged): string {
  if (isStopping(task)) return 'was asked to stop'
  switch (task.state) {
    case 'queued': return task.attempts === 0 ? 'was queued' : 'was queued again'
    case 'running': return task.attempts === 1 ? 'started' : `started, attempt ${integer(task.attempts)} of ${integer(task.max_attempts)}`
    case 'completed': return `completed in ${duration(took(task))}`
    case 'failed': return `failed: ${task.failure?.title ?? 'no reason was given'}`
    case 'cancelled': return task.is_partial ? 'was cancelled, with a partial result' : 'was cancelled'
  }
}

export function momentOf({ task }: TaskChanged): string | null {
  if (isStopping(task)) return task.cancel_requested_at
  if (task.state === 'queued') return task.queued_at
  return task.state === 'running' ? task.started_at : task.finished_at
}
