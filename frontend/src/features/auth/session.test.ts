import { http, HttpResponse } from 'msw'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { server, useServer } from '@/testing/server'
import { sessionStorageKey } from './supabase'

useServer()

const user = { id: 'u-1', aud: 'authenticated', email: 'ada@example.com', is_anonymous: false, app_metadata: {}, user_metadata: {}, created_at: '' }

function token(change: object = {}) {
  return HttpResponse.json({
    access_token: `${btoa('{"alg":"none"}')}.${btoa('{"exp":9999999999}')}.c2ln`, token_type: 'bearer', expires_in: 3600,
    expires_at: Math.floor(Date.now() / 1000) + 3600, refresh_token: 'abcdefabcdef', user: { ...user, ...change },
  })
}

function refusal(status: number, code: string) {
  return HttpResponse.json({ code, message: code }, { status, headers: { 'X-Supabase-Api-Version': '2024-01-01' } })
}

async function freshSession() {
  vi.resetModules() // the client of Supabase is kept for the life of a page
  const { useSession } = await import('./session')
  return useSession()
}

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(console, 'warn').mockImplementation(() => undefined) // several clients in one window, as no real page has
})

describe('session', () => {
  it('is signed out at once, without loading anything, where no session is kept', async () => {
    const session = await freshSession()
    await session.start()
    expect(session.status).toBe('signed_out')
    expect(await session.token()).toBeNull()
  })

  it('signs in, keeps the session for the next page load, and hands out its token', async () => {
    server.use(http.post('/auth/v1/token', ({ request }) => {
      expect(new URL(request.url).searchParams.get('grant_type')).toBe('password')
      expect(request.headers.get('apikey')).toBe('sb_publishable_test')
      return token()
    }))
    const session = await freshSession()
    await session.start()
    await session.signIn('ada@example.com', 'secret')
    expect(session).toMatchObject({ status: 'signed_in', isDemo: false })
    expect(localStorage.getItem(sessionStorageKey)).not.toBeNull()

    setActivePinia(createPinia())
    const reloaded = await freshSession()
    await reloaded.start()
    expect(reloaded.status).toBe('signed_in')
    expect(await reloaded.token()).toMatch(/c2ln$/)
  })

  it('does not become somebody after a wrong password', async () => {
    server.use(http.post('/auth/v1/token', () => refusal(400, 'invalid_credentials')))
    const session = await freshSession()
    await session.start()
    await expect(session.signIn('ada@example.com', 'nope')).rejects.toMatchObject({ code: 'invalid_credentials' })
    expect(session.status).toBe('signed_out')
  })

  it('forgets the session here even when the server cannot be told', async () => {
    server.use(
      http.post('/auth/v1/signup', () => token({ is_anonymous: true, email: '' })),
      http.post('/auth/v1/logout', () => refusal(500, 'unexpected_failure')),
    )
    const session = await freshSession()
    await session.start()
    await session.tryDemo()
    expect(session.isDemo).toBe(true)
    expect(await session.signOut()).toBe(false)
    expect(session.status).toBe('signed_out')
    expect(session.endedByItself).toBe(false)
    expect(localStorage.getItem(sessionStorageKey)).toBeNull()
  })

  it('notices when the session was ended elsewhere', async () => {
    server.use(http.post('/auth/v1/token', ({ request }) => (
      request.url.includes('grant_type=password') ? token() : refusal(400, 'refresh_token_not_found'))),
    http.post('/auth/v1/logout', () => refusal(403, 'session_not_found')))
    const session = await freshSession()
    await session.start()
    await session.signIn('ada@example.com', 'secret')
    expect(await session.token({ renew: true })).toBeNull()
    expect(session.status).toBe('signed_out')
    expect(session.endedByItself).toBe(true)
  })

  it('asks for the code of the message where new accounts have to confirm their email', async () => {
    server.use(http.post('/auth/v1/signup', () => HttpResponse.json(user)))
    const session = await freshSession()
    await session.start()
    expect(await session.signUp('ada@example.com', 'a long password')).toBe('code_needed')
    expect(session.status).toBe('signed_out')
  })
})
