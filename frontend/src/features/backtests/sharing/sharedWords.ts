/** What a shared result says, in words and numbers. */
import type { RunConfig } from '@/api/backtestResults'
import type { SharedBacktest, SharedTable } from '@/api/shares'
import type { Curve } from '@/shared/charts'
import { change, integer, MISSING, percent, ratio } from '@/shared/format'
import type { TableColumn } from '@/shared/table'
import { factsOf as configFacts } from '../result/configDiff'
import { rangeWords } from '../result/words'

type Write = (value: number) => string
const statistics: readonly (readonly [name: string, label: string, write: Write])[] = [
  ['total_return', 'Total return', (value) => change(value)],
  ['benchmark_return', 'Buy and hold', (value) => change(value)],
  ['cagr', 'Growth a year', (value) => change(value)],
  ['sharpe', 'Sharpe', (value) => ratio(value)],
  ['sortino', 'Sortino', (value) => ratio(value)],
  ['max_drawdown', 'Deepest drawdown', (value) => percent(value)],
  ['volatility', 'Volatility a year', (value) => percent(value)],
  ['trades', 'Closed trades', (value) => integer(value)],
  ['open_trades', 'Still open', (value) => integer(value)],
  ['win_rate', 'Trades with a gain', (value) => percent(value)],
  ['profit_factor', 'Profit factor', (value) => ratio(value)],
]

export function factsOf(run: Pick<SharedBacktest, 'figures'>) {
  const found = (run.figures.statistics ?? {}) as Record<string, unknown>
  const why = (run.figures.missing ?? {}) as Record<string, string>
  return statistics
    .filter(([name]) => name in found || name in why)
    .map(([name, label, write]) => ({ name: label, value: typeof found[name] === 'number' ? write(found[name]) : why[name] ?? MISSING }))
}

export function notesOf(run: Pick<SharedBacktest, 'figures'>) {
  return ((run.figures.notes ?? []) as (string | { text: string })[]).map((note) => (typeof note === 'string' ? note : note.text))
}

export function describe(run: SharedBacktest) {
  const named = run.symbols.slice(0, 3).join(', ')
  const more = run.symbols.length > 3 ? ` and ${integer(run.symbols.length - 3)} more` : ''
  return `${run.strategy} on ${named}${more}, ${run.timeframe}, bars of ${run.provider}, ${rangeWords({ config: configOf(run) })}`
}

/** The schema of the API says no more of it than that it is an object. */
function configOf({ config }: Pick<SharedBacktest, 'config'>) {
  return config as unknown as RunConfig
}

/** What it was run with, but for what the line above says. */
export function settingsOf(run: Pick<SharedBacktest, 'config'>) {
  return configFacts(configOf(run))
    .filter(({ path }) => !['strategy', 'series', 'start', 'end', 'seed'].includes(path))
    .map(({ name, text }) => ({ name, value: text }))
}

export function curvesOf({ columns }: SharedTable): Curve[] {
  const ts = (columns.ts ?? []).map((at) => Date.parse(String(at)))
  const numbers = (name: string) => Float64Array.from(columns[name] ?? [], (value) => (typeof value === 'number' ? value : Number.NaN))
  if (ts.length < 2) return []
  return [
    { id: 'equity', name: 'Equity', ts, values: numbers('equity') },
    ...('benchmark' in columns ? [{ id: 'benchmark', name: 'Buy and hold', ts, values: numbers('benchmark'), isBenchmark: true }] : []),
  ]
}

export interface SharedTrade {
  at: number
  symbol: string
  side: string
  entry: string | null
  exit: string | null
  pnl: number | null
  gain: number | null
  reason: string
}

export function tradesOf({ columns, first }: SharedTable): SharedTrade[] {
  const text = (name: string, at: number) => String(columns[name]?.[at] ?? '')
  const time = (name: string, at: number) => (columns[name]?.[at] ?? null) as string | null
  const number = (name: string, at: number) => (columns[name]?.[at] ?? null) as number | null
  return (columns.entry_time ?? []).map((_, at) => ({
    at: first + at + 1,
    symbol: text('symbol', at),
    side: text('side', at),
    entry: time('entry_time', at),
    exit: time('exit_time', at),
    pnl: number('pnl', at),
    gain: number('return', at),
    reason: text('exit_reason', at),
  }))
}

export const tradeColumns: readonly TableColumn<SharedTrade>[] = [
  { id: 'at', header: 'Trade', value: ({ at }) => at, kind: 'number', width: 84, fixed: true, unfiltered: true },
  { id: 'symbol', header: 'Symbol', value: ({ symbol }) => symbol, kind: 'choice', width: 108 },
  { id: 'side', header: 'Side', value: ({ side }) => side, kind: 'choice', width: 84 },
  { id: 'pnl', header: 'Profit', value: ({ pnl }) => pnl, kind: 'number', width: 124 },
  { id: 'gain', header: 'Return', value: ({ gain }) => gain, kind: 'number', width: 100 },
  { id: 'entry', header: 'Entered', value: ({ entry }) => entry, kind: 'time', width: 184 },
  { id: 'exit', header: 'Left', value: ({ exit }) => exit, kind: 'time', width: 184 },
  { id: 'reason', header: 'Why it ended', value: ({ reason }) => reason, kind: 'choice', width: 196 },
]
