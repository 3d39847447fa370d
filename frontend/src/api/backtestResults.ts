/** What came out of a backtest: read whole, by table and by range, and what can be done with it. */
import { queryOptions } from '@tanstack/vue-query'
import { withNumbers } from '@/shared/ruleNumbers'
import { type Backtest as BacktestFound, backtestAddress, type BacktestEdit, backtestKey, backtestListsKey, backtestsKey, backtestsPath } from './backtests'
import { newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'
import type { Study } from './studies'

type Schemas = components['schemas']
export type Started = Schemas['BacktestStarted']
export type TableRead = Schemas['TableRead']
export type TradeExplained = Schemas['TradeExplained']
export type Comparison = Schemas['ComparisonFound']
export type Value = number | string
export type Verdict = 'good' | 'doubtful' | 'bad' | 'unknown'

export interface Group {
  key: string
  count: number
  won: number
  pnl: number
  mean_return: number
}

export interface Figures {
  statistics: Record<string, Value>
  /** Why a statistic is not there. */
  missing: Record<string, string>
  groups: Record<string, Group[]>
  months: { month: string, value: number }[]
  notes: { code?: string, text: string }[]
  bars?: number
  study?: Record<string, unknown>
}

export interface Check {
  code: string
  title: string
  verdict: Verdict
  sentence: string
  facts?: Record<string, Value>
}

export interface Band {
  mode: string
  cost_times: number
  total_return: number
}

export interface Trust {
  checks: Check[]
  band: Band[]
  thorough?: boolean
}

export interface DataFact {
  provider: string
  symbol: string
  timeframe: string
  adjustment: string
  content_hash: string
  detail_hash: string | null
  bars: number
  first: string
  last: string
  instrument: { name: string, calendar: string, currency: string, tick: number | null, lot: number | null, is_simulated: boolean }
}

export interface Manifest {
  format: number
  code: Record<string, string>
  strategy: { name: string, origin: string, source_hash: string }
  parameters: Record<string, unknown>
  data: DataFact[]
  trading: Trading
  seed: number
  outcome: { trades: number, trades_hash: string, equity_hash: string }
}

export interface Trading {
  cash: number
  costs: Record<string, number>
  sizing: Record<string, unknown>
  execution: Record<string, unknown>
}

export interface RunConfig {
  strategy: string
  parameters: Record<string, unknown>
  series: { provider: string, symbol: string, timeframe: string, adjustment?: string }[]
  start: string | null
  end: string | null
  trading: Trading
  seed: number
  /** Of a study: what was tried, and how. */
  study?: { space: Study['space'], plan: Omit<Study, 'space'> }
}

/** A backtest with its documents typed: the schema of the API says no more of them than that they are objects. */
export type Backtest = Omit<BacktestFound, 'config' | 'figures' | 'manifest' | 'trust'> & {
  config: RunConfig
  figures: Figures | null
  manifest: Manifest | null
  trust: Trust | null
}

export interface ChartPart {
  symbol: string
  timeframe: string
  bars: { ts: number[], open: number[], high: number[], low: number[], close: number[], volume: number[] }
  indicators: { name: string, pane: string, levels: number[], lines: Record<string, (number | null)[]> }[]
  next_start: string | null
}

export interface ChartWanted {
  symbol?: string
  start?: string
  end?: string
  limit?: number
}

/** Where the tabs of a result get their tables. A shared page brings another one; none of them knows a session. */
export interface ResultSource {
  /** Tells one result from another in the cache. */
  key: string
  trades: (first: number, limit: number, signal?: AbortSignal) => Promise<TableRead>
  equity: (points: number, signal?: AbortSignal) => Promise<TableRead>
  chart: (wanted: ChartWanted, signal?: AbortSignal) => Promise<ChartPart>
  /** All that led to one trade; a source without it leaves that to the trade and the bars. */
  explain?: (number: number, signal?: AbortSignal) => Promise<TradeExplained>
}

const longestName = 120
export type FileKind = 'json' | 'csv' | 'parquet' | 'html'

/** The documents of a backtest, with their types. */
export function resultOf(found: BacktestFound): Backtest {
  return found as unknown as Backtest
}

/** What was made from a backtest, its replays among it; the newest first. */
export function childrenQuery(id: string) {
  return queryOptions({
    queryKey: [...backtestsKey, 'children', id],
    queryFn: async ({ signal }) => {
      const query = { parent: id, limit: 20 }
      return (await request<Schemas['Page_BacktestRow_']>('GET', backtestsPath, { signal, query })).data.items
    },
  })
}

export function equityQuery(source: ResultSource, points = 50_000) {
  return queryOptions({
    queryKey: [...backtestsKey, 'equity', source.key, points],
    queryFn: ({ signal }) => source.equity(points, signal),
    staleTime: Infinity, // what came out of a run does not change
  })
}

export function chartQuery(source: ResultSource, wanted: ChartWanted) {
  return queryOptions({
    queryKey: [...backtestsKey, 'chart', source.key, wanted],
    queryFn: ({ signal }) => source.chart(wanted, signal),
    staleTime: Infinity,
  })
}

export function explainQuery(source: ResultSource, number: number) {
  return queryOptions({
    queryKey: [...backtestsKey, 'trade', source.key, number],
    queryFn: ({ signal }) => {
      if (source.explain === undefined) throw new Error('This source explains no trades.')
      return source.explain(number, signal)
    },
    enabled: source.explain !== undefined,
    staleTime: Infinity,
  })
}

/** Two to twenty runs side by side; differences are between the first and each of the others. */
export function comparisonQuery(ids: readonly string[]) {
  return queryOptions({
    queryKey: [...backtestsKey, 'comparison', ids],
    queryFn: async ({ signal }) => (await request<Comparison>('POST', `${backtestsPath}/compare`, { body: { ids }, signal })).data,
    enabled: ids.length > 1,
    staleTime: 5 * 60_000,
  })
}

/** The tables of one's own backtest. */
export function ownSource(id: string): ResultSource {
  const read = async <T>(table: string, query: Record<string, string | number | undefined>, signal?: AbortSignal) => {
    return (await request<T>('GET', `${backtestAddress(id)}/${table}`, { signal, query })).data
  }
  return {
    key: id,
    trades: (first, limit, signal) => read<TableRead>('trades', { first, limit }, signal),
    equity: (points, signal) => read<TableRead>('equity', { points }, signal),
    chart: (wanted, signal) => read<ChartPart>('chart', { ...wanted }, signal),
    explain: (number, signal) => read<TradeExplained>(`trades/${number}`, {}, signal),
  }
}

/** Which version of a text somebody begins to edit. */
export async function versionOf(id: string): Promise<{ backtest: BacktestFound, etag?: string }> {
  const { data, etag } = await request<BacktestFound>('GET', backtestAddress(id))
  return { backtest: data, etag }
}

/** Refused when it is not that version any more: nobody overwrites what another one wrote meanwhile. */
export async function rewrite(id: string, edit: Pick<BacktestEdit, 'name' | 'notes'>, etag = '*'): Promise<void> {
  const { data } = await request<BacktestFound>('PATCH', backtestAddress(id), { body: edit, ifMatch: etag })
  queryClient.setQueryData(backtestKey(id), data)
  void queryClient.invalidateQueries({ queryKey: backtestListsKey })
}

/** A task of its own; its findings take the place of those of the quick look. */
export async function examineBacktest(id: string): Promise<Started> {
  return (await request<Started>('POST', `${backtestAddress(id)}/guard`, { idempotencyKey: newIdempotencyKey() })).data
}

export async function exportBacktest(id: string, format: FileKind, signal?: AbortSignal): Promise<Blob> {
  const transfer = { asFile: true }
  return (await request<Blob>('GET', `${backtestAddress(id)}/export`, { query: { format }, signal, transfer })).data
}

export function askAgain(id: string) {
  void queryClient.invalidateQueries({ queryKey: childrenQuery(id).queryKey })
  return queryClient.invalidateQueries({ queryKey: backtestKey(id) })
}

/** One trial of a study as a backtest of its own, with all its trades. */
export async function runTrial({ id, config }: Pick<Backtest, 'id' | 'config'>, parameters: Record<string, unknown>, name: string): Promise<Started> {
  const { strategy, series, start, end, trading, seed } = config
  const form = { strategy, series, start, end, trading, seed, parameters: withNumbers(config.parameters, parameters) }
  const body = { ...form, parent_id: id, name: name.slice(0, longestName) }
  const { data } = await request<Started>('POST', `${backtestsPath}/run`, { body, idempotencyKey: newIdempotencyKey() })
  void queryClient.invalidateQueries({ queryKey: backtestListsKey })
  return data
}
