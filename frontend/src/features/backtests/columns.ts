/** What the table of backtests is told about its columns. The server filters and sorts. */
import type { BacktestRow, BacktestSort } from '@/api/backtests'
import type { TableColumn } from '@/shared/table'
import { kindNames } from '@/shared/taskNames'

const all: TableColumn<BacktestRow>[] = [
  { id: 'name', header: 'Backtest', value: ({ name }) => name, width: 228, fixed: true },
  { id: 'state', header: 'State', value: ({ state }) => state, width: 120, unsortable: true },
  { id: 'total_return', header: 'Return', value: ({ summary }) => summary.total_return, kind: 'number', width: 112 },
  { id: 'sharpe_ratio', header: 'Sharpe', value: ({ summary }) => summary.sharpe_ratio, kind: 'number', width: 88 },
  { id: 'max_drawdown', header: 'Drawdown', value: ({ summary }) => summary.max_drawdown, kind: 'number', width: 104 },
  { id: 'trades', header: 'Trades', value: ({ summary }) => summary.trades, kind: 'number', width: 88 },
  { id: 'symbols', header: 'Symbols', value: ({ symbols }) => symbols.join(' '), width: 104, unsortable: true },
  { id: 'timeframe', header: 'Bars', value: ({ timeframe }) => timeframe, width: 56, unsortable: true },
  { id: 'created', header: 'Created', value: (row) => row.created_at, kind: 'time', width: 92 },
  { id: 'tag', header: 'Tags', value: ({ tags }) => tags.join(', '), width: 100, unsortable: true },
  { id: 'strategy', header: 'Strategy', value: ({ strategy }) => strategy, width: 140, unsortable: true, optional: true },
  { id: 'provider', header: 'Provider', value: ({ provider }) => provider, width: 120, unsortable: true, optional: true },
  { id: 'kind', header: 'Kind', value: ({ kind }) => kindNames[kind], width: 112, unsortable: true, optional: true },
  { id: 'took', header: 'Took', value: took, kind: 'number', width: 92, unsortable: true, optional: true },
  { id: 'id', header: 'Id', value: ({ id }) => id, width: 304, unsortable: true, optional: true },
]

export const columns = all.map((column) => ({ ...column, unfiltered: true }))

/** Where not all have room, those give way that the name and a filter tell as well. */
export const fewerColumns = columns.map((column) => ({ ...column, optional: column.optional ?? ['timeframe', 'tag'].includes(column.id) }))

/** On a phone the state has to be seen beside the name. */
export const narrowColumns = columns.map((column) => (column.id === 'name' ? { ...column, width: 168 } : column))

/** What the address holds besides the columns. */
export const queryColumns: TableColumn<BacktestRow>[] = [
  ...columns,
  { id: 'starred', header: '', value: ({ is_starred: is }) => is },
  { id: 'show', header: '', value: () => null },
]

export const sortable = new Set<string>(['created', 'name', 'total_return', 'sharpe_ratio', 'max_drawdown', 'trades'] satisfies BacktestSort[])

function took({ started_at: started, finished_at: finished }: BacktestRow) {
  return started === null || finished === null ? null : Math.max(0, Date.parse(finished) - Date.parse(started)) / 1_000
}
