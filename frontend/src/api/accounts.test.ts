import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import { problem, profile, server, session, useServer } from '@/testing/server'
import { changePreferences, meQuery, sessionsQuery } from './accounts'
import { queryClient } from './queries'

useServer()

describe('preferences', () => {
  it('applies one preference to the newest profile when another device changed it meanwhile', async () => {
    let version = 5
    const patched: (string | null)[] = []
    server.use(
      http.get('/api/me', () => HttpResponse.json(profile({ version }), { headers: { ETag: `"${version}"` } })),
      http.patch('/api/me', ({ request }) => {
        patched.push(request.headers.get('if-match'))
        if (request.headers.get('if-match') !== '"6"') {
          version = 6
          return problem(412, 'version_conflict', 'Changed meanwhile')
        }
        return HttpResponse.json(profile({ version: 7 }), { headers: { ETag: '"7"' } })
      }),
    )
    expect((await changePreferences({ theme: 'dark' })).etag).toBe('"7"')
    expect(patched).toEqual(['"5"', '"6"'])
    expect(queryClient.getQueryData(meQuery.queryKey)).toMatchObject({ version: 7, etag: '"7"' })
  })

  it('sends quick changes one after another, each with the version before it', async () => {
    let version = 1
    const bodies: unknown[] = []
    server.use(
      http.get('/api/me', () => HttpResponse.json(profile({ version }), { headers: { ETag: `"${version}"` } })),
      http.patch('/api/me', async ({ request }) => {
        if (request.headers.get('if-match') !== `"${version}"`) return problem(412, 'version_conflict', 'Changed meanwhile')
        bodies.push(await request.json())
        version += 1
        return HttpResponse.json(profile({ version }), { headers: { ETag: `"${version}"` } })
      }),
    )
    await Promise.all([changePreferences({ theme: 'dark' }), changePreferences({ density: 'compact' })])
    expect(bodies).toEqual([{ preferences: { theme: 'dark' } }, { preferences: { density: 'compact' } }])
  })
})

describe('sessions', () => {
  it('follows the cursor to the last page', async () => {
    server.use(http.get('/api/me/sessions', ({ request }) => {
      const isSecond = new URL(request.url).searchParams.get('cursor') === 'next'
      return HttpResponse.json(isSecond
        ? { items: [session({ id: 'b' })], next_cursor: null }
        : { items: [session({ id: 'a' })], next_cursor: 'next' })
    }))
    const found = await queryClient.fetchQuery(sessionsQuery)
    expect(found.map(({ id }) => id)).toEqual(['a', 'b'])
  })
})
