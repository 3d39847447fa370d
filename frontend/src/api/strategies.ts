/** Strategies: the installed ones, one's own rules in versions, and what they say on bars. */
import { keepPreviousData, queryOptions } from '@tanstack/vue-query'
import { newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

type Schemas = components['schemas']
export type StrategyInBrief = Schemas['StrategyInBrief']
export type StrategyList = Schemas['StrategyList']
export type Strategy = Schemas['StrategyFound']
export type StrategyWanted = Schemas['StrategyWanted']
export type StrategyVersion = Schemas['Version']
export type VersionFound = Schemas['VersionFound']
export type Examined = Schemas['RulesExamined']
export type PreviewAsked = Schemas['PreviewAsked']
export type StrategyPreview = Schemas['Preview']
type VersionPage = Schemas['Page_Version_']

export interface IndicatorParameter {
  name: string
  title: string
  type: 'integer' | 'number'
  default: number
  minimum: number
  maximum: number
  unit: string
}
export interface IndicatorFacts {
  name: string
  title: string
  group: string
  parameters: IndicatorParameter[]
  outputs: string[]
}
export interface PatternFacts {
  name: string
  title: string
  kind: string
  tells: string
}
/** All that rules can be made of. */
export type Grammar = Omit<Schemas['Grammar'], 'indicators' | 'patterns'> & { indicators: IndicatorFacts[], patterns: PatternFacts[] }

export interface VersionedStrategy extends Strategy {
  etag: string
}

const strategiesKey = ['strategies'] as const
export const strategiesPath = '/api/strategies'

export function strategyAddress(name: string) {
  return `${strategiesPath}/${encodeURIComponent(name)}`
}

export function strategiesQuery(deleted = false) {
  return queryOptions({
    queryKey: [...strategiesKey, 'list', deleted],
    queryFn: async ({ signal }) => (await request<StrategyList>('GET', strategiesPath, { signal, query: deleted ? { deleted } : {} })).data,
  })
}

export function strategyQuery(name: string) {
  return queryOptions({
    queryKey: [...strategiesKey, 'one', name],
    queryFn: async ({ signal }) => versioned(await request<Strategy>('GET', strategyAddress(name), { signal })),
    enabled: name !== '',
  })
}

export const grammarQuery = queryOptions({
  queryKey: [...strategiesKey, 'grammar'],
  queryFn: async ({ signal }) => (await request<Grammar>('GET', `${strategiesPath}/rules/grammar`, { signal })).data,
  staleTime: 60 * 60_000,
})

export function versionsQuery(name: string) {
  return queryOptions({
    queryKey: [...strategiesKey, 'versions', name],
    queryFn: async ({ signal }) => {
      const versions: StrategyVersion[] = []
      let cursor: string | undefined
      do {
        const { data } = await request<VersionPage>('GET', `${strategyAddress(name)}/versions`, { signal, query: { limit: 200, cursor } })
        versions.push(...data.items)
        cursor = data.next_cursor ?? undefined
      } while (cursor !== undefined)
      return versions
    },
  })
}

export function versionQuery(name: string, version: number) {
  return queryOptions({
    queryKey: [...strategiesKey, 'version', name, version],
    queryFn: async ({ signal }) => (await request<VersionFound>('GET', `${strategyAddress(name)}/versions/${version}`, { signal })).data,
    staleTime: Infinity, // it never changes
  })
}

/** What the server says of rules; the last answer stays until the next one is there. */
export function examinedQuery(rules: unknown) {
  return queryOptions({
    queryKey: [...strategiesKey, 'examined', JSON.stringify(rules)],
    queryFn: async ({ signal }) => (await request<Examined>('POST', `${strategiesPath}/validate`, { signal, body: { rules } })).data,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  })
}

export function previewQuery(asked: PreviewAsked) {
  return queryOptions({
    queryKey: [...strategiesKey, 'preview', JSON.stringify(asked)],
    queryFn: async ({ signal }) => (await request<StrategyPreview>('POST', `${strategiesPath}/preview`, { signal, body: asked })).data,
    placeholderData: keepPreviousData,
    staleTime: 10 * 60_000,
  })
}

/** Without an ETag a new one, else a change of that one. */
export async function saveStrategy(wanted: StrategyWanted, present?: { name: string, etag: string }, idempotencyKey = newIdempotencyKey()) {
  const options = { body: wanted, idempotencyKey }
  const reply = present === undefined
    ? await request<Strategy>('POST', strategiesPath, options)
    : await request<Strategy>('PUT', strategyAddress(present.name), { ...options, ifMatch: present.etag })
  return await known(versioned(reply))
}

export async function deleteStrategy(name: string) {
  await request('DELETE', strategyAddress(name))
  await askStrategiesAgain()
}

export async function restoreStrategy(name: string) {
  return await known(versioned(await request<Strategy>('POST', `${strategyAddress(name)}/restore`)))
}

export function askStrategiesAgain() {
  return queryClient.invalidateQueries({ queryKey: [...strategiesKey, 'list'] })
}

async function known(strategy: VersionedStrategy) {
  queryClient.setQueryData(strategyQuery(strategy.name).queryKey, strategy)
  await Promise.all([askStrategiesAgain(), queryClient.invalidateQueries({ queryKey: [...strategiesKey, 'versions', strategy.name] })])
  return strategy
}

function versioned({ data, etag }: { data: Strategy, etag?: string }): VersionedStrategy {
  return { ...data, etag: etag ?? '' }
}
