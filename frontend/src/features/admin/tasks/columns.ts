/** The columns of everybody's tasks: those of one's own, and whose each is. */
import type { AdminTask } from '@/api/administration'
import type { TableColumn } from '@/shared/table'
import { columns as ofTasks } from '@/shared/taskColumns'
import { kindNames } from '@/shared/taskNames'
import { nameOf } from '../people'

const owner: TableColumn<AdminTask> = { id: 'owner', header: 'User', value: (task) => nameOf({ email: task.email, id: task.user_id }), width: 200, unfiltered: true }
const ownerId: TableColumn<AdminTask> = { id: 'user_id', header: 'User id', value: (task) => task.user_id, width: 304, optional: true, unfiltered: true }

const common: readonly TableColumn<AdminTask>[] = ofTasks
const only = (ids: string[]) => common.filter(({ id }) => ids.includes(id))
const without = (ids: string[]) => common.filter(({ id }) => !ids.includes(id))

export const columns: TableColumn<AdminTask>[] = [...only(['kind']), owner, ...without(['kind']), ownerId]

/** On a phone the state has to be seen beside the name. */
export const narrowColumns: TableColumn<AdminTask>[] = [
  ...only(['kind']).map((kind) => ({ ...kind, width: 116 })),
  ...only(['state']),
  owner,
  ...without(['kind', 'state']),
  ownerId,
]

/** Housekeeping is in this list, too. */
export const everyKind = Object.entries(kindNames).map(([value, label]) => ({ value: value as AdminTask['kind'], label }))
