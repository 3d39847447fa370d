/** What the table of models is told about its columns. */
import type { ModelRow } from '@/api/models'
import type { TableColumn } from '@/shared/table'
import { lookOf, questionWords, trustLook } from './modelWords'

export const columns: TableColumn<ModelRow>[] = [
  { id: 'name', header: 'Model', value: ({ name }) => name, width: 240, fixed: true },
  { id: 'state', header: 'State', value: (row) => lookOf(row).word, kind: 'choice', width: 124, unfiltered: true },
  { id: 'trusted', header: 'Verdict', value: trustWord, kind: 'choice', width: 320, unfiltered: true },
  { id: 'auc', header: 'AUC', value: ({ auc }) => auc?.value, kind: 'number', width: 164 },
  { id: 'ic', header: 'IC', value: ({ ic }) => ic?.value, kind: 'number', width: 180 },
  { id: 'age', header: 'Age', value: (row) => row.trained_until, kind: 'time', width: 96, unfiltered: true },
  { id: 'trained_until', header: 'Trained until', value: (row) => row.trained_until, kind: 'time', width: 124 },
  { id: 'question', header: 'Question', value: questionWords, kind: 'choice', width: 168 },
  { id: 'symbol', header: 'Symbol', value: ({ series }) => series.symbol, kind: 'choice', width: 104, unfiltered: true },
  { id: 'timeframe', header: 'Bars', value: ({ series }) => series.timeframe, kind: 'choice', width: 68 },
  { id: 'predictions', header: 'Predictions', value: ({ predictions }) => predictions, kind: 'number', width: 112 },
  { id: 'provider', header: 'Provider', value: ({ series }) => series.provider, kind: 'choice', width: 104, optional: true },
  { id: 'created_at', header: 'Created', value: (row) => row.created_at, kind: 'time', width: 108, optional: true },
  { id: 'auc_low', header: 'AUC, low', value: ({ auc }) => auc?.low, kind: 'number', width: 104, optional: true, unfiltered: true },
  { id: 'auc_high', header: 'AUC, high', value: ({ auc }) => auc?.high, kind: 'number', width: 104, optional: true, unfiltered: true },
]

const narrow: Record<string, number> = { name: 156, trusted: 136 }
const first = ['name', 'trusted']

/** On a phone the verdict, or how far the training is, has to be seen beside the name. */
export const narrowColumns = [
  ...columns.filter(({ id }) => first.includes(id)).map((column) => ({ ...column, width: narrow[column.id] })),
  ...columns.filter(({ id }) => !first.includes(id)),
]

function trustWord({ is_trusted: is, task_state: task }: ModelRow) {
  return is === null && task !== 'completed' ? null : trustLook(is).word
}
