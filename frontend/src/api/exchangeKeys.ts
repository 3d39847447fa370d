/** One's own keys of exchanges and brokers: sent once, and never read back. Nothing here keeps what was sent. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import type { components } from './schema'

export type ExchangeKey = components['schemas']['ExchangeKey']
export type KeyEvent = components['schemas']['KeyEvent']
export type KeyProvider = ExchangeKey['provider']
export type Secrets = components['schemas']['Secrets']
export type KeyWanted = components['schemas']['KeyWanted']
type KeyPage = components['schemas']['Page_ExchangeKey_']
type EventPage = components['schemas']['Page_KeyEvent_']

export const keysPath = '/api/keys/'
export const auditPath = '/api/keys/audit'
export const keyPath = (id: string) => `${keysPath}${encodeURIComponent(id)}`

// The provider is asked meanwhile, and may take its time.
const whileAsking = { timeoutMilliseconds: 40_000 }

export const keysQuery = queryOptions({
  queryKey: ['me', 'exchange-keys', 'list'],
  queryFn: async ({ signal }) => (await request<KeyPage>('GET', keysPath, { signal, query: { limit: 200 } })).data.items,
})

/** What was done with them, the newest first, page by page. */
export const keyEventsQuery = infiniteQueryOptions({
  queryKey: ['me', 'exchange-keys', 'audit'],
  queryFn: async ({ signal, pageParam: cursor }) => {
    return (await request<EventPage>('GET', auditPath, { signal, query: { limit: 100, cursor: cursor || undefined } })).data
  },
  initialPageParam: '',
  getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
})

export async function addKey(wanted: KeyWanted) {
  return (await request<ExchangeKey>('POST', keysPath, { body: wanted, ...whileAsking })).data
}

export async function rotateKey(id: string, secrets: Secrets) {
  return (await request<ExchangeKey>('POST', `${keyPath(id)}/rotate`, { body: secrets, ...whileAsking })).data
}

/** A key that does not work is an answer, not an error. */
export async function testKey(id: string) {
  return (await request<ExchangeKey>('POST', `${keyPath(id)}/test`, whileAsking)).data
}

export async function labelKey(id: string, label: string) {
  return (await request<ExchangeKey>('PATCH', keyPath(id), { body: { label } })).data
}

export async function deleteKey(id: string) {
  await request('DELETE', keyPath(id))
}
