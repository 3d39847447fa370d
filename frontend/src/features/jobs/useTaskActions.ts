/** Cancelling and running again, one task or many, and what is said when the server refuses. */
import { shallowReactive } from 'vue'
import { ApiError } from '@/api/client'
import { cancelTask, retryTask, type Task } from '@/api/tasks'
import { notify } from '@/shared/composables/notify'
import { isStopping } from '@/shared/taskNames'

const atOnce = 4

export const mayCancel = (task: Task) => (task.state === 'queued' || task.state === 'running') && !isStopping(task)
export const mayRetry = ({ state }: Task) => state === 'failed' || state === 'cancelled'

export function useTaskActions() {
  /** Ids of tasks that the server is asked about. */
  const working = shallowReactive(new Set<string>())

  async function act(task: Task, change: (task: Task) => Promise<void>) {
    if (working.has(task.id)) return
    working.add(task.id)
    try {
      await change(task)
    } finally {
      working.delete(task.id)
    }
  }

  async function cancel(task: Task) {
    if (!mayCancel(task)) return
    await act(task, cancelTask).catch((error: unknown) => { notify.error(`Not cancelled. ${reasonOf(error)}`) })
  }

  async function retry(task: Task) {
    if (!mayRetry(task)) return
    await act(task, retryTask).then(
      () => { notify.success('Queued again.') },
      (error: unknown) => { notify.error(`Not queued again. ${reasonOf(error)}`) },
    )
  }

  /** As many as the server lets through, a few at once; after a refusal no more are tried. Returns whether all are done. */
  async function forAll(tasks: readonly Task[], change: (task: Task) => Promise<void>, done: string) {
    const waiting = [...tasks]
    let count = 0
    let refusal: unknown
    async function work() {
      for (let task = waiting.shift(); task !== undefined && refusal === undefined; task = waiting.shift()) {
        try {
          await act(task, change)
          count += 1
        } catch (error) {
          refusal = error
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    const words = `${done} ${count} of ${tasks.length} tasks.`
    if (refusal === undefined) notify.success(words)
    else notify.error(`${words} ${reasonOf(refusal)}`)
    return refusal === undefined
  }

  return {
    working,
    cancel,
    retry,
    cancelAll: (tasks: readonly Task[]) => forAll(tasks.filter(mayCancel), cancelTask, 'Cancelled'),
    retryAll: (tasks: readonly Task[]) => forAll(tasks.filter(mayRetry), retryTask, 'Queued again:'),
  }
}

function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'
}
