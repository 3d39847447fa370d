/** What the table of tasks is told about its columns. */
import type { Task } from '@/api/tasks'
import { kindNames, stateNames } from '@/shared/taskNames'
import type { TableColumn } from '@/shared/table'

export const columns: TableColumn<Task>[] = [
  { id: 'kind', header: 'Task', value: ({ kind }) => kind, kind: 'choice', width: 176, fixed: true, unfiltered: true },
  { id: 'state', header: 'State', value: ({ state }) => state, kind: 'choice', width: 116, unfiltered: true },
  { id: 'progress', header: 'Progress', value: outcome, width: 208, unsortable: true, unfiltered: true },
  { id: 'attempts', header: 'Attempt', value: ({ attempts }) => attempts, kind: 'number', width: 88 },
  { id: 'took', header: 'Took', value: took, kind: 'number', width: 104, unfiltered: true },
  { id: 'created_at', header: 'Created', value: (task) => task.created_at, kind: 'time', width: 96 },
  { id: 'finished_at', header: 'Finished', value: (task) => task.finished_at, kind: 'time', width: 96, optional: true },
  { id: 'priority', header: 'Priority', value: ({ priority }) => priority, kind: 'number', width: 96, optional: true },
  { id: 'cores', header: 'Cores', value: ({ cores }) => cores, kind: 'number', width: 88, optional: true },
  { id: 'memory_bytes', header: 'Memory', value: (task) => task.memory_bytes, kind: 'number', width: 104, optional: true, unfiltered: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, optional: true },
]

/** On a phone the state has to be seen beside the name. */
export const narrowColumns = columns.map((column) => (column.id === 'kind' ? { ...column, width: 168 } : column))

/** Where tasks are one's own, they have names, which take of the room of their progress and attempts. */
const ownWidths: Record<string, number> = { kind: 304, progress: 168 }
export const ownColumns = columns.map((column) => ({
  ...column, width: ownWidths[column.id] ?? column.width, optional: column.optional ?? column.id === 'attempts',
}))

/** Every kind that a user can have. */
export const kindOptions = Object.entries(kindNames)
  .filter(([kind]) => kind !== 'maintain')
  .map(([value, label]) => ({ value: value as Task['kind'], label }))

export const stateOptions = Object.entries(stateNames).map(([value, label]) => ({ value: value as Task['state'], label }))

/** Seconds from the start to the end, where there was one. */
export function took({ started_at: started, finished_at: finished }: Pick<Task, 'started_at' | 'finished_at'>) {
  if (started === null || finished === null) return null
  return Math.max(0, Date.parse(finished) - Date.parse(started)) / 1_000
}

/** What an export says about it; the screen shows how far it is. */
function outcome(task: Task) {
  if (task.state === 'failed') return task.failure?.title
  return task.state === 'queued' ? task.waits_for : task.progress?.stage
}
