/** What the catalogue is told about its columns. */
import type { Series } from '@/api/market'
import type { TableColumn } from '@/shared/table'
import { ownerName } from './seriesWords'

export const columns: TableColumn<Series>[] = [
  { id: 'symbol', header: 'Symbol', value: ({ symbol }) => symbol, width: 132, fixed: true, unfiltered: true },
  { id: 'timeframe', header: 'Bar', value: ({ timeframe }) => timeframe, kind: 'choice', width: 72 },
  { id: 'provider', header: 'Provider', value: ({ provider }) => provider, kind: 'choice', width: 120, unfiltered: true },
  { id: 'adjustment', header: 'Adjusted', value: ({ adjustment }) => adjustment, kind: 'choice', width: 128, optional: true },
  { id: 'first', header: 'From', value: ({ stored }) => stored?.first, kind: 'time', width: 116 },
  { id: 'last', header: 'To', value: ({ stored }) => stored?.last, kind: 'time', width: 116 },
  { id: 'rows', header: 'Bars', value: ({ stored }) => stored?.rows, kind: 'number', width: 104 },
  { id: 'size_bytes', header: 'Size', value: ({ stored }) => stored?.size_bytes, kind: 'number', width: 96, unfiltered: true },
  { id: 'owner', header: 'Owner', value: ownerName, kind: 'choice', width: 88 },
  { id: 'fetched_at', header: 'Updated', value: ({ stored }) => stored?.fetched_at, kind: 'time', width: 104 },
  { id: 'source', header: 'Source', value: ({ stored }) => stored?.source, width: 200, optional: true, unfiltered: true },
  { id: 'content_hash', header: 'Content hash', value: ({ stored }) => stored?.content_hash, width: 272, optional: true, unfiltered: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, optional: true, unfiltered: true },
]

/** On a phone the range has to be seen beside the symbol. */
export const narrowColumns = columns.map((column) => {
  if (column.id === 'symbol') return { ...column, width: 108 }
  if (column.id === 'timeframe') return { ...column, width: 64 }
  return column.id === 'provider' ? { ...column, optional: true } : column
})
