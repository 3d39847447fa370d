/** One's own profile, preferences and sessions. */
import { queryOptions } from '@tanstack/vue-query'
import { ApiError, newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

export type Profile = components['schemas']['Profile']
export type ProfileChange = components['schemas']['ProfileChange']
export type Preferences = Profile['preferences']
export type Session = components['schemas']['Session']
type SessionPage = components['schemas']['Page_Session_']

export interface VersionedProfile extends Profile {
  etag: string
}

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }) => {
    const { data, etag } = await request<Profile>('GET', '/api/me', { signal })
    return { ...data, etag: etag ?? '' } satisfies VersionedProfile
  },
})

export async function changeMe(change: ProfileChange, etag: string): Promise<VersionedProfile> {
  const reply = await request<Profile>('PATCH', '/api/me', { body: change, ifMatch: etag, idempotencyKey: newIdempotencyKey() })
  const profile = { ...reply.data, etag: reply.etag ?? '' }
  queryClient.setQueryData(meQuery.queryKey, profile)
  return profile
}

let lastChange: Promise<unknown> = Promise.resolve()

/** One preference does not touch another: after a change made elsewhere it is simply applied to the newest profile. */
export function changePreferences(preferences: Partial<Preferences>): Promise<VersionedProfile> {
  const change = lastChange.then(async () => {
    const { etag } = await queryClient.ensureQueryData(meQuery)
    try {
      return await changeMe({ preferences }, etag)
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 412)) throw error
      const newest = await queryClient.fetchQuery({ ...meQuery, staleTime: 0 })
      return await changeMe({ preferences }, newest.etag)
    }
  })
  lastChange = change.catch(() => undefined) // one after another, so that each sees the version before it
  return change
}

export const sessionsQuery = queryOptions({
  queryKey: ['me', 'sessions'],
  staleTime: 0, // one may have signed in elsewhere a moment ago
  queryFn: async ({ signal }) => {
    const sessions: Session[] = []
    let cursor: string | undefined
    do {
      const { data } = await request<SessionPage>('GET', '/api/me/sessions', { signal, query: { limit: 100, cursor } })
      sessions.push(...data.items)
      cursor = data.next_cursor ?? undefined
    } while (cursor !== undefined)
    return sessions
  },
})

export async function endSession(id: string) {
  await request('DELETE', `/api/me/sessions/${encodeURIComponent(id)}`)
}

export async function endOtherSessions() {
  await request('DELETE', '/api/me/sessions', { query: { others: true } })
}
