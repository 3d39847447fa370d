/** One's own tasks, and the machine that runs them: what can be asked and done. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import { newIdempotencyKey, request } from './client'
import type { components } from './schema'
import { useStream } from './stream'
import { askAgain, listsKey, showTask, taskKey } from './taskCache'

type Schemas = components['schemas']
export type Task = Schemas['Task']
export type TaskInFull = Schemas['TaskInFull']
export type TaskKind = Schemas['JobKind']
export type TaskState = Schemas['JobState']
export type TaskPage = Schemas['Page_Task_']
export type Progress = Schemas['Progress']
export type Resources = Schemas['Resources']
export type Health = Schemas['Health']

/** Nothing in a list means any. */
export interface TaskFilter {
  states: readonly TaskState[]
  kinds: readonly TaskKind[]
}

export const tasksPath = '/api/system/tasks'
const pollMilliseconds = 5_000

/** The newest first, page by page. */
export function tasksQuery(filter: TaskFilter, limit = 50) {
  return infiniteQueryOptions({
    queryKey: [...listsKey, filter, limit] as const,
    queryFn: async ({ signal, pageParam: cursor }) => {
      return (await request<TaskPage>('GET', tasksAddress(filter, { limit, cursor }), { signal })).data
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
  })
}

export function tasksAddress({ states, kinds }: TaskFilter, { limit, cursor = '' }: { limit?: number, cursor?: string } = {}) {
  const search = new URLSearchParams([
    ...states.map((state) => ['state', state]),
    ...kinds.map((kind) => ['kind', kind]),
    ...(limit === undefined ? [] : [['limit', String(limit)]]),
    ...(cursor === '' ? [] : [['cursor', cursor]]),
  ]).toString()
  return search === '' ? tasksPath : `${tasksPath}?${search}`
}

export function taskQuery(id: string) {
  return queryOptions({
    queryKey: taskKey(id),
    queryFn: async ({ signal }) => (await request<TaskInFull>('GET', taskAddress(id), { signal })).data,
  })
}

export function taskAddress(id: string) {
  return `${tasksPath}/${encodeURIComponent(id)}`
}

/** Shown as cancelled, or about to be, at once; taken back should the server refuse. */
export async function cancelTask(task: Task): Promise<void> {
  const now = new Date().toISOString()
  const asked = task.state === 'queued' ? { state: 'cancelled' as const, finished_at: now } : {}
  showTask({ ...task, ...asked, cancel_requested_at: now })
  try {
    await change(task.id, 'cancel')
  } catch (error) {
    showTask(task)
    throw error
  }
}

/** A new attempt of the same task. */
export async function retryTask(task: Task): Promise<void> {
  await change(task.id, 'retry')
}

async function change(id: string, what: 'cancel' | 'retry') {
  try {
    await request('POST', `${taskAddress(id)}/${what}`, { idempotencyKey: newIdempotencyKey() })
  } catch (error) {
    askAgain(id)
    throw error
  }
  if (useStream().liveness.value !== 'live') askAgain(id) // else the event says it
}

export const resourcesQuery = queryOptions({
  queryKey: ['resources'],
  queryFn: async ({ signal }) => (await request<Resources>('GET', '/api/system/resources', { signal })).data,
  refetchInterval: pollMilliseconds,
  staleTime: pollMilliseconds - 1_000,
})

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: async ({ signal }) => (await request<Health>('GET', '/api/system/health', { signal })).data,
  refetchInterval: 3 * pollMilliseconds,
  staleTime: pollMilliseconds,
})
