/** What the audit log is told about its columns. */
import type { KeyEvent } from '@/api/exchangeKeys'
import type { TableColumn } from '@/shared/table'

export const columns: TableColumn<KeyEvent>[] = [
  { id: 'at', header: 'When', value: ({ at }) => at, kind: 'time', width: 212, fixed: true },
  { id: 'action', header: 'What', value: ({ action }) => action, kind: 'choice', width: 112 },
  { id: 'outcome', header: 'Outcome', value: ({ outcome }) => outcome, kind: 'choice', width: 124 },
  { id: 'hint', header: 'Key', value: ({ hint }) => hint, width: 124 },
  { id: 'provider', header: 'Provider', value: ({ provider }) => provider, kind: 'choice', width: 172 },
  { id: 'actor', header: 'By', value: ({ actor }) => actor, kind: 'choice', width: 96 },
  { id: 'address', header: 'From', value: ({ address }) => address, width: 128 },
  { id: 'reason', header: 'Why', value: ({ reason }) => reason, width: 300, unfiltered: true },
  { id: 'key_id', header: 'Key id', value: ({ key_id: id }) => id, width: 304, optional: true, unfiltered: true },
  { id: 'session_id', header: 'Session', value: ({ session_id: id }) => id, width: 304, optional: true, unfiltered: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, optional: true, unfiltered: true },
]

/** On a phone what happened has to be seen beside when. */
export const narrowColumns = columns.map((column) => (column.id === 'at' ? { ...column, width: 108 } : column))
