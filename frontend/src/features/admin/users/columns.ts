/** What the table of users is told about its columns. */
import type { AdminUser } from '@/api/administration'
import type { TableColumn } from '@/shared/table'

export const columns: TableColumn<AdminUser>[] = [
  { id: 'email', header: 'Email', value: ({ email }) => email, width: 240, fixed: true, unfiltered: true },
  { id: 'display_name', header: 'Name', value: (user) => user.display_name, width: 150, unfiltered: true },
  { id: 'state', header: 'State', value: ({ state }) => state, kind: 'choice', width: 128, unfiltered: true },
  { id: 'role', header: 'Role', value: ({ role }) => role, kind: 'choice', width: 120, unfiltered: true },
  { id: 'plan', header: 'Plan', value: ({ plan }) => plan, kind: 'choice', width: 104, unfiltered: true },
  { id: 'last_seen_at', header: 'Last seen', value: (user) => user.last_seen_at, kind: 'time', width: 104 },
  { id: 'created_at', header: 'Created', value: (user) => user.created_at, kind: 'time', width: 104 },
  { id: 'suspended_until', header: 'Suspended until', value: (user) => user.suspended_until, kind: 'time', width: 190, optional: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, optional: true, unfiltered: true },
]

/** On a phone the state has to be seen beside the address. */
export const narrowColumns = columns
  .filter(({ id }) => id !== 'display_name')
  .map((column) => (column.id === 'email' ? { ...column, width: 184 } : column))
  .concat(columns.filter(({ id }) => id === 'display_name').map((column) => ({ ...column, optional: true })))
