/** What the table of trades is told about its columns; a row is a number, its values lie in the store. */
import type { TableColumn } from '@/shared/table'
import type { TradeField, TradeStore } from './tradeStore'

export interface TradeRow {
  at: number
}

const about: (Omit<TableColumn<TradeRow>, 'value' | 'id'> & { id: TradeField })[] = [
  { id: 'number', header: 'Trade', kind: 'number', width: 84, fixed: true, unfiltered: true },
  { id: 'symbol', header: 'Symbol', kind: 'choice', width: 104 },
  { id: 'side', header: 'Side', kind: 'choice', width: 76 },
  { id: 'entry_time', header: 'Entered', kind: 'time', width: 180 },
  { id: 'exit_time', header: 'Left', kind: 'time', width: 180 },
  { id: 'pnl', header: 'Profit', kind: 'number', width: 136 },
  { id: 'return', header: 'Return', kind: 'number', width: 96 },
  { id: 'bars_held', header: 'Bars', kind: 'number', width: 76, optional: true },
  { id: 'exit_reason', header: 'Why it ended', kind: 'choice', width: 184 },
  { id: 'costs', header: 'Costs', kind: 'number', width: 108 },
  { id: 'mae', header: 'Worst point', kind: 'number', width: 112, optional: true },
  { id: 'mfe', header: 'Best point', kind: 'number', width: 108, optional: true },
  { id: 'entry_reason', header: 'Why it began', kind: 'text', width: 196, optional: true },
  { id: 'quantity', header: 'Quantity', kind: 'number', width: 116, optional: true },
  { id: 'entry_price', header: 'Entry price', kind: 'number', width: 116, optional: true },
  { id: 'exit_price', header: 'Exit price', kind: 'number', width: 116, optional: true },
  { id: 'fees', header: 'Fees', kind: 'number', width: 104, optional: true },
  { id: 'slippage', header: 'Slippage', kind: 'number', width: 104, optional: true },
  { id: 'financing', header: 'Interest', kind: 'number', width: 104, optional: true },
  { id: 'seconds_held', header: 'Held', kind: 'number', width: 116, optional: true, unfiltered: true },
]

/** What is the same in every row leaves its room to the reason. */
const ofOneSymbol: Partial<Record<TradeField, Partial<TableColumn<TradeRow>>>> = { symbol: { optional: true }, exit_reason: { width: 288 } }

export function tradeColumns(store: TradeStore | null, isOneSymbol = false): TableColumn<TradeRow>[] {
  return about.map((column) => ({
    ...column, ...(isOneSymbol ? ofOneSymbol[column.id] : {}), value: ({ at }) => store?.value(column.id, at),
  }))
}

/** On a phone the profit has to be seen beside the number. */
const phone = new Set<string>(['number', 'entry_time', 'pnl', 'return', 'exit_reason'])

export function narrowColumns(store: TradeStore | null, isOneSymbol = false): TableColumn<TradeRow>[] {
  const order = ['number', 'pnl', 'return', 'entry_time', 'exit_reason']
  const place = (id: string) => (order.includes(id) ? order.indexOf(id) : order.length)
  return tradeColumns(store, isOneSymbol)
    .map((column) => (phone.has(column.id) ? { ...column, width: column.id === 'number' ? 84 : column.width } : { ...column, optional: true }))
    .sort((one, two) => place(one.id) - place(two.id))
}
