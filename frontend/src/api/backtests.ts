/** Backtests: run, found again, described; and their presets. The id of a backtest is that of its task. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import { newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

type Schemas = components['schemas']
export type Backtest = Schemas['BacktestFound']
export type BacktestRow = Schemas['BacktestRow']
export type BacktestPage = Schemas['Page_BacktestRow_']
export type BacktestEdit = Schemas['BacktestEdit']
export type BacktestSort = Schemas['BacktestSort']
export type BacktestStarted = Schemas['BacktestStarted']
export type BacktestWanted = Schemas['BacktestWanted']
export type RunWanted = Schemas['RunWanted']
export type RunEstimate = Schemas['RunEstimate']
export type Preset = Schemas['PresetFound']
export type TradingConfig = Schemas['TradingConfig']
export type BacktestKind = 'backtest' | 'sweep' | 'optimize' | 'walk_forward'
type State = Schemas['JobState']

/** Nothing means any. */
export interface BacktestFilter {
  search: string
  kinds: readonly BacktestKind[]
  states: readonly State[]
  tags: readonly string[]
  strategy: string
  isStarred: boolean
  /** Which of the three lists: those in use, those put away, those that can be brought back. */
  from: 'current' | 'archived' | 'deleted'
  sort: BacktestSort
  isDescending: boolean
}

export const backtestsPath = '/api/backtests'
export const backtestsKey = ['backtests'] as const
export const backtestListsKey = [...backtestsKey, 'list'] as const
export const backtestKinds: readonly BacktestKind[] = ['backtest', 'sweep', 'optimize', 'walk_forward']
const pageSize = 200
const mostLatest = 6

export function backtestsQuery(filter: BacktestFilter) {
  return infiniteQueryOptions({
    queryKey: [...backtestListsKey, filter] as const,
    queryFn: ({ signal, pageParam: cursor }) => readPage(filter, { cursor, signal }),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
  })
}

export async function readPage(filter: BacktestFilter, { cursor = '', signal }: { cursor?: string, signal?: AbortSignal } = {}) {
  return (await request<BacktestPage>('GET', backtestsAddress(filter, { limit: pageSize, cursor }), { signal })).data
}

export function backtestsAddress(filter: BacktestFilter, { limit, cursor = '' }: { limit?: number, cursor?: string } = {}) {
  const { search, kinds, states, tags, strategy, isStarred, from, sort, isDescending } = filter
  const words = new URLSearchParams([
    ...(search.trim() === '' ? [] : [['search', search.trim()]]),
    ...kinds.map((kind) => ['kind', kind]),
    ...states.map((state) => ['state', state]),
    ...tags.map((tag) => ['tag', tag]),
    ...(strategy === '' ? [] : [['strategy', strategy]]),
    ...(isStarred ? [['starred', 'true']] : []),
    ...(from === 'current' ? [] : [[from, 'true']]),
    ...(sort === 'created' ? [] : [['sort', sort]]),
    ...(isDescending ? [] : [['descending', 'false']]),
    ...(limit === undefined ? [] : [['limit', String(limit)]]),
    ...(cursor === '' ? [] : [['cursor', cursor]]),
  ]).toString()
  return words === '' ? backtestsPath : `${backtestsPath}?${words}`
}

export const latestBacktestsQuery = queryOptions({
  queryKey: [...backtestsKey, 'latest'],
  queryFn: async ({ signal }) => (await request<BacktestPage>('GET', `${backtestsPath}?limit=${mostLatest}`, { signal })).data.items,
  staleTime: 0,
})

/** A few that are called so, or hold the word otherwise; the newest first. */
export function namedBacktestsQuery(search: string) {
  return queryOptions({
    queryKey: [...backtestsKey, 'named', search],
    queryFn: async ({ signal }) => (await request<BacktestPage>('GET', backtestsPath, { signal, query: { search, limit: mostLatest } })).data.items,
    staleTime: 5_000,
  })
}

/** Of each strategy the newest run that finished, among the latest 200. */
export const latestOfStrategiesQuery = queryOptions({
  queryKey: [...backtestsKey, 'latest-of-strategies'],
  queryFn: async ({ signal }) => {
    const query = { kind: 'backtest', state: 'completed', limit: pageSize }
    const { items } = (await request<BacktestPage>('GET', backtestsPath, { signal, query })).data
    return new Map(items.toReversed().map((run) => [run.strategy, run]))
  },
})

export const backtestKey = (id: string) => [...backtestsKey, 'one', id] as const

export function backtestQuery(id: string) {
  return queryOptions({
    queryKey: backtestKey(id),
    queryFn: async ({ signal }) => (await request<Backtest>('GET', backtestAddress(id), { signal })).data,
  })
}

export function backtestAddress(id: string) {
  return `${backtestsPath}/${encodeURIComponent(id)}`
}

export const tagsQuery = queryOptions({
  queryKey: [...backtestsKey, 'tags'],
  queryFn: async ({ signal }) => (await request<Schemas['TagCounts']>('GET', `${backtestsPath}/tags`, { signal })).data.items,
})

export const presetsPath = `${backtestsPath}/presets`

export function presetAddress(id: string) {
  return `${presetsPath}/${encodeURIComponent(id)}`
}

export const presetsQuery = queryOptions({
  queryKey: [...backtestsKey, 'presets'],
  queryFn: async ({ signal }) => (await request<Schemas['PresetsFound']>('GET', presetsPath, { signal })).data.items,
})

export async function estimateRun(wanted: RunWanted, signal?: AbortSignal): Promise<RunEstimate> {
  return (await request<RunEstimate>('POST', `${backtestsPath}/estimate`, { body: wanted, signal })).data
}

/** Under one key a run starts once, however often it is sent. */
export async function startRun(wanted: BacktestWanted, idempotencyKey = newIdempotencyKey()): Promise<BacktestStarted> {
  const { data } = await request<BacktestStarted>('POST', `${backtestsPath}/run`, { body: wanted, idempotencyKey })
  void queryClient.invalidateQueries({ queryKey: backtestListsKey })
  return data
}

export async function replayRun(id: string): Promise<BacktestStarted> {
  return (await request<BacktestStarted>('POST', `${backtestAddress(id)}/replay`, { idempotencyKey: newIdempotencyKey() })).data
}

/** A star or a tag is set whatever else was said since; who edits a text names the version that it was. */
export async function editBacktest(id: string, edit: BacktestEdit, etag = '*'): Promise<Backtest> {
  return (await request<Backtest>('PATCH', backtestAddress(id), { body: edit, ifMatch: etag })).data
}

export async function deleteBacktest(id: string) {
  await request('DELETE', backtestAddress(id))
}

export async function restoreBacktest(id: string): Promise<Backtest> {
  return (await request<Backtest>('POST', `${backtestAddress(id)}/restore`)).data
}

export async function keepPreset(name: string, form: RunWanted): Promise<Preset> {
  const { data } = await request<Preset>('POST', presetsPath, { body: { name, form } })
  void queryClient.invalidateQueries({ queryKey: presetsQuery.queryKey })
  return data
}

export async function forgetPreset(id: string) {
  await request('DELETE', presetAddress(id))
  void queryClient.invalidateQueries({ queryKey: presetsQuery.queryKey })
}
