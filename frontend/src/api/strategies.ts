/** Strategies as the API describes them: the installed ones, and one's own. */
import { queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import type { components } from './schema'

type Schemas = components['schemas']
export type StrategyInBrief = Schemas['StrategyInBrief']
export type Strategy = Schemas['StrategyFound']

const strategiesPath = '/api/strategies'
const strategiesKey = ['strategies'] as const

export const strategiesQuery = queryOptions({
  queryKey: [...strategiesKey, 'list'],
  queryFn: async ({ signal }) => (await request<Schemas['StrategyList']>('GET', strategiesPath, { signal })).data.items,
})

export function strategyQuery(name: string) {
  return queryOptions({
    queryKey: [...strategiesKey, 'one', name],
    queryFn: async ({ signal }) => (await request<Strategy>('GET', `${strategiesPath}/${encodeURIComponent(name)}`, { signal })).data,
    enabled: name !== '',
  })
}
