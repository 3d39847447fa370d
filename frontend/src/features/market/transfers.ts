/** The tasks that bring bars: which of them still matter, what they are about, and what can be done with them. */
import { useInfiniteQuery, useQueries } from '@tanstack/vue-query'
import { computed, ref, watch } from 'vue'
import { ApiError } from '@/api/client'
import { askSeriesAgain, type Series } from '@/api/market'
import { useStream } from '@/api/stream'
import { cancelTask, retryTask, type Task, type TaskInFull, taskQuery, tasksQuery } from '@/api/tasks'
import { notify } from '@/shared/composables/notify'
import { isStopping } from '@/shared/taskNames'

const kinds = ['fetch', 'import'] as const
const pollWithoutStream = 5_000
const mostShown = 6
const interruptedMatters = 24 * 3_600_000

export type Subject = Pick<Series, 'provider' | 'symbol' | 'timeframe'>

export const isActive = ({ state }: Pick<Task, 'state'>) => state === 'queued' || state === 'running'
export const wasInterrupted = ({ state }: Pick<Task, 'state'>) => state === 'failed' || state === 'cancelled'
export const mayCancel = (task: Task) => isActive(task) && !isStopping(task)

/** Which series a task works on, out of what was asked for. */
export function subjectOf({ payload }: Pick<TaskInFull, 'payload'>): Subject | null {
  const { series } = payload as { series?: Subject }
  return typeof series?.symbol === 'string' ? series : null
}

export function seriesIdOf({ payload }: Pick<TaskInFull, 'payload'>): string | null {
  const { series_id: id } = payload as { series_id?: unknown }
  return typeof id === 'string' ? id : null
}

export function isRepair({ payload }: Pick<TaskInFull, 'payload'>) {
  return payload.again === true
}

/** What works now, and what was cut in the last day and may go on: the newest task of each series counts. */
export function useTransfers() {
  const { liveness } = useStream()
  const refetchInterval = computed(() => (liveness.value === 'live' ? false as const : pollWithoutStream))
  const list = useInfiniteQuery(computed(() => ({
    ...tasksQuery({ states: [], kinds }, 20), refetchInterval: refetchInterval.value,
  })))
  const dismissed = ref<readonly string[]>([])
  const recent = computed(() => list.data.value?.pages.flatMap(({ items }) => items) ?? [])
  const candidates = computed(() => {
    const since = Date.now() - interruptedMatters
    const matter = (task: Task) => isActive(task) || (wasInterrupted(task) && Date.parse(task.finished_at ?? task.created_at) > since)
    return recent.value.filter(matter).slice(0, 2 * mostShown)
  })
  const inFull = useQueries({
    queries: computed(() => candidates.value.map(({ id }) => ({ ...taskQuery(id), refetchInterval: refetchInterval.value }))),
  })
  const known = computed(() => inFull.value.flatMap(({ data }) => (data === undefined ? [] : [data])))
  const transfers = computed(() => {
    return newestOfEach(known.value, recent.value).filter(({ id }) => !dismissed.value.includes(id)).slice(0, mostShown)
  })

  // A task that began or ended changed what is stored, whether an event or an answer told it.
  watch(() => recent.value.map(({ id, state }) => `${id} ${state}`).join(), (_now, before) => { if (before !== '') void askSeriesAgain() })

  return {
    transfers,
    isWorking: computed(() => recent.value.some(isActive)),
    dismiss: (id: string) => { dismissed.value = [...dismissed.value, id] },
  }
}

/** A download that was cut and then begun anew is not told twice. */
export function newestOfEach(tasks: readonly TaskInFull[], recent: readonly Task[]): TaskInFull[] {
  const place = new Map(recent.map(({ id }, at) => [id, at]))
  const seen = new Set<string>()
  return [...tasks]
    .sort((one, other) => (place.get(one.id) ?? 0) - (place.get(other.id) ?? 0))
    .filter((task) => {
      const series = seriesIdOf(task)
      if (isActive(task) || series === null) return true
      if (seen.has(series)) return false
      seen.add(series)
      return true
    })
}

export function useTransferActions() {
  const working = ref<string | null>(null)

  async function act(task: Task, change: (task: Task) => Promise<void>, refused: string) {
    working.value = task.id
    try {
      await change(task)
    } catch (error) {
      notify.error(`${refused} ${reasonOf(error)}`)
    } finally {
      working.value = null
    }
  }

  return {
    working,
    cancel: (task: Task) => act(task, cancelTask, 'Not cancelled.'),
    resume: (task: Task) => act(task, retryTask, 'Not resumed.'),
  }
}

export function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'
}
