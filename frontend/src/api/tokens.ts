/** One's own personal access tokens. */
import { queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import type { components } from './schema'

export type PersonalToken = components['schemas']['PersonalToken']
export type FreshToken = components['schemas']['FreshToken']
export type TokenWanted = components['schemas']['TokenWanted']
export type TokenScope = PersonalToken['scopes'][number]
type TokenPage = components['schemas']['Page_PersonalToken_']

export const tokensQuery = queryOptions({
  queryKey: ['me', 'tokens'],
  queryFn: async ({ signal }) => {
    const tokens: PersonalToken[] = []
    let cursor: string | undefined
    do {
      const { data } = await request<TokenPage>('GET', '/api/me/tokens', { signal, query: { limit: 200, cursor } })
      tokens.push(...data.items)
      cursor = data.next_cursor ?? undefined
    } while (cursor !== undefined)
    return tokens
  },
})

/** The only answer that holds the token itself. */
export async function createToken(wanted: TokenWanted): Promise<FreshToken> {
  const { data } = await request<FreshToken>('POST', '/api/me/tokens', { body: wanted })
  return data
}

export async function revokeToken(id: string) {
  await request('DELETE', `/api/me/tokens/${encodeURIComponent(id)}`)
}
