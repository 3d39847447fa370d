/** Strategies as the API describes them: the installed ones, and one's own. */
import { queryOptions } from '@tanstack/vue-query'
import type { JsonSchema } from '@/shared/jsonSchema'
import { request } from './client'

export interface StrategyInBrief {
  /** The name of an installed one, the id of one's own. */
  name: string
  title: string
  kind: 'built_in' | 'plugin' | 'own'
  description: string
  markets: string
  needs_symbols: boolean
}

export interface Strategy extends StrategyInBrief {
  parameters: JsonSchema
  warmup: number
  /** What a run of it is configured with: one's own runs as `rules`. */
  run: { strategy: string, parameters: Record<string, unknown> }
  /** Of one's own: what the rules say. */
  words: string[]
}

const strategiesPath = '/api/strategies'
const strategiesKey = ['strategies'] as const

export const strategiesQuery = queryOptions({
  queryKey: [...strategiesKey, 'list'],
  queryFn: async ({ signal }) => (await request<{ items: StrategyInBrief[] }>('GET', strategiesPath, { signal })).data.items,
})

export function strategyQuery(name: string) {
  return queryOptions({
    queryKey: [...strategiesKey, 'one', name],
    queryFn: async ({ signal }) => (await request<Strategy>('GET', `${strategiesPath}/${encodeURIComponent(name)}`, { signal })).data,
    enabled: name !== '',
  })
}
