/** What the table of the audit log is told about its columns. The ids are those of the filters in the address. */
import type { AuditLine } from '@/api/administration'
import type { TableColumn } from '@/shared/table'
import { actorOf, subjectOf, summaryOf } from './auditWords'

export const columns: TableColumn<AuditLine>[] = [
  { id: 'at', header: 'When', value: ({ at }) => at, kind: 'time', width: 216, fixed: true, unfiltered: true },
  { id: 'action', header: 'What', value: ({ action }) => action, kind: 'choice', width: 208, unfiltered: true },
  { id: 'who', header: 'Who', value: actorOf, width: 184, unfiltered: true },
  { id: 'whose', header: 'Whose data', value: subjectOf, width: 184, unfiltered: true },
  { id: 'details', header: 'Details', value: (line) => [line.object, summaryOf(line)].filter(Boolean).join(': '), width: 240, unsortable: true, unfiltered: true },
  { id: 'reason', header: 'Reason', value: ({ reason }) => reason, width: 176, unfiltered: true },
  { id: 'address', header: 'Address', value: ({ address }) => address, width: 128, optional: true, unfiltered: true },
  { id: 'actor_id', header: 'Actor id', value: (line) => line.actor_id, width: 304, optional: true, unfiltered: true },
  { id: 'subject_id', header: 'Subject id', value: (line) => line.subject_id, width: 304, optional: true, unfiltered: true },
  { id: 'session_id', header: 'Session id', value: (line) => line.session_id, width: 304, optional: true, unfiltered: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, optional: true, unfiltered: true },
]

/** On a phone what was done has to be seen beside the time. */
export const narrowColumns = columns.map((column) => {
  if (column.id === 'at') return { ...column, width: 104 }
  return column.id === 'action' ? { ...column, width: 212 } : column
})
