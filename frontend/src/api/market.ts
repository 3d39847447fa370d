/** Market data: what is stored, how good it is, where it comes from, and the tasks that bring it. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import { newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

type Schemas = components['schemas']
export type Provider = Schemas['Provider']
export type Instrument = Schemas['InstrumentFound']
export type Series = Schemas['SeriesFound']
export type SeriesPage = Schemas['Page_SeriesFound_']
export type Coverage = Schemas['Coverage']
export type Gap = Schemas['GapFound']
export type Suspect = Schemas['SuspectFound']
export type Bars = Schemas['Bars']
export type Span = Schemas['Range']
export type Wanted = Schemas['Wanted']
export type Estimate = Schemas['EstimateMade']
export type Started = Schemas['Started']
export type Timeframe = Schemas['Timeframe']
export type Adjustment = Schemas['Adjustment']

const marketKey = ['market'] as const
export const dataPath = '/api/data'
const mostBars = 5_000

export const providersQuery = queryOptions({
  queryKey: [...marketKey, 'providers'],
  queryFn: async ({ signal }) => (await request<Schemas['Providers']>('GET', '/api/providers', { signal })).data.items,
  staleTime: 10 * 60_000,
})

export function instrumentsQuery(provider: string, search: string) {
  return queryOptions({
    queryKey: [...marketKey, 'instruments', provider, search],
    queryFn: async ({ signal }) => {
      const query = { provider, search, limit: 20 }
      return (await request<Schemas['Instruments']>('GET', `${dataPath}/instruments`, { signal, query })).data.items
    },
    enabled: provider !== '',
    staleTime: 10 * 60_000,
  })
}

/** The newest first, page by page; an empty provider means any. */
export function catalogueQuery(provider = '', limit = 100) {
  return infiniteQueryOptions({
    queryKey: [...marketKey, 'series', 'list', provider, limit],
    queryFn: async ({ signal, pageParam: cursor }) => {
      const query = { provider: provider || undefined, limit, cursor: cursor || undefined }
      return (await request<SeriesPage>('GET', seriesPath, { signal, query })).data
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
  })
}

export function seriesQuery(id: string) {
  return queryOptions({
    queryKey: [...marketKey, 'series', 'one', id],
    queryFn: async ({ signal }) => (await request<Series>('GET', seriesAddress(id), { signal })).data,
  })
}

export function coverageQuery(id: string) {
  return queryOptions({
    queryKey: [...marketKey, 'series', 'coverage', id],
    queryFn: async ({ signal }) => (await request<Coverage>('GET', `${dataPath}/coverage`, { signal, query: { series_id: id } })).data,
  })
}

/** The bars of a stretch, at most five thousand of them. */
export function barsQuery(id: string, { start, end }: Span) {
  return queryOptions({
    queryKey: [...marketKey, 'series', 'bars', id, start, end],
    queryFn: async ({ signal }) => {
      const query = { series_id: id, start, end, limit: mostBars }
      return (await request<Bars>('GET', `${dataPath}/bars`, { signal, query })).data
    },
  })
}

export const seriesPath = `${dataPath}/series`

export function seriesAddress(id: string) {
  return `${seriesPath}/${encodeURIComponent(id)}`
}

/** What is stored has changed: whatever shows it asks again. */
export function askSeriesAgain() {
  return queryClient.invalidateQueries({ queryKey: [...marketKey, 'series'] })
}

export async function estimateFetch(wanted: Wanted, signal?: AbortSignal): Promise<Estimate> {
  return (await request<Estimate>('POST', `${dataPath}/fetch/estimate`, { body: wanted, signal })).data
}

/** Under one key a download starts once, however often it is sent. */
export async function startFetch(wanted: Wanted, idempotencyKey = newIdempotencyKey()): Promise<Started> {
  return (await request<Started>('POST', `${dataPath}/fetch`, { body: wanted, idempotencyKey })).data
}

/** Fetches these stretches again; without any, every gap. */
export async function startRepair(seriesId: string, gaps: readonly Span[] = []): Promise<Started> {
  const body = { series_id: seriesId, gaps: gaps.map(({ start, end }) => ({ start, end })) }
  return (await request<Started>('POST', `${dataPath}/repair`, { body, idempotencyKey: newIdempotencyKey() })).data
}

export async function deleteSeries(id: string) {
  await request('DELETE', seriesAddress(id))
}
