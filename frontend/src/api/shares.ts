/** Links that show a result to others: one's own, and what stands behind one for whoever has it. */
import { queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import type { components } from './schema'

export type Share = components['schemas']['ShareLink']
export type FreshShare = components['schemas']['FreshShare']
export type ShareWanted = components['schemas']['ShareWanted']
export type SharedBacktest = components['schemas']['SharedBacktest']
export type SharedTable = components['schemas']['TableRead']
type SharePage = components['schemas']['Page_ShareLink_']

export const sharesPath = '/api/shares'
export const sharesKey = ['shares'] as const

export function sharePath(id: string) {
  return `${sharesPath}/${encodeURIComponent(id)}`
}

/** One's own, of one backtest or of all. */
export function sharesQuery(backtestId?: string) {
  return queryOptions({
    queryKey: [...sharesKey, backtestId ?? 'all'],
    queryFn: async ({ signal }) => {
      const shares: Share[] = []
      let cursor: string | undefined
      do {
        const query = { limit: 200, cursor, backtest_id: backtestId }
        const { data } = await request<SharePage>('GET', sharesPath, { signal, query })
        shares.push(...data.items)
        cursor = data.next_cursor ?? undefined
      } while (cursor !== undefined)
      return shares
    },
  })
}

/** The only answer that holds the link itself. */
export async function createShare(wanted: ShareWanted): Promise<FreshShare> {
  return (await request<FreshShare>('POST', sharesPath, { body: wanted })).data
}

export async function revokeShare(id: string) {
  await request('DELETE', sharePath(id))
}

/** What a visitor reads: no session is shown, whoever is signed in. */
export function sharedQuery(link: string) {
  return queryOptions({ queryKey: ['shared', link], queryFn: ({ signal }) => shared<SharedBacktest>(link, '', {}, signal) })
}

export function sharedEquityQuery(link: string, points = 2_000) {
  return queryOptions({
    queryKey: ['shared', link, 'equity', points],
    queryFn: ({ signal }) => shared<SharedTable>(link, '/equity', { points }, signal),
    staleTime: Infinity,
  })
}

export function sharedTradesQuery(link: string, limit: number) {
  return queryOptions({
    queryKey: ['shared', link, 'trades', limit],
    queryFn: ({ signal }) => shared<SharedTable>(link, '/trades', { first: 0, limit }, signal),
    staleTime: Infinity,
  })
}

async function shared<T>(link: string, table: string, query: Record<string, number>, signal: AbortSignal): Promise<T> {
  return (await request<T>('GET', `${sharePath(link)}${table}`, { signal, query, anonymous: true })).data
}
