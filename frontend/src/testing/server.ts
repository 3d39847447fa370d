/** A server that speaks HTTP to the tests; what nobody told it to answer fails the test. */
import { http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { Profile, Session } from '@/api/accounts'
import type { Installation } from '@/api/installation'
import { queryClient } from '@/api/queries'

export const config: Installation = {
  mode: 'embedded', supabase_url: '', publishable_key: 'sb_publishable_test', version: '1.2.3', environment: 'DEMO', mailbox_url: null,
}

export function profile(change: Partial<Profile> = {}): Profile {
  return {
    user_id: '5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f',
    email: 'ada@example.com',
    display_name: 'Ada',
    is_demo: false,
    is_admin: false,
    version: 3,
    created_at: '2026-11-18T09:30:00Z',
    updated_at: '2026-11-18T09:30:00Z',
    ...change,
    preferences: {
      theme: 'system', palette: 'default', density: 'comfortable', timezone: 'UTC', single_key_shortcuts: true, ...change.preferences,
    },
  }
}

export function session(change: Partial<Session> = {}): Session {
  return {
    id: 'here', created_at: '2026-11-20T09:30:00Z', last_seen_at: '2026-11-20T09:35:00Z', ip: '127.0.0.1', is_current: true,
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0', ...change,
  }
}

export function problem(status: number, code: string, title: string, more: object = {}) {
  return HttpResponse.json({ status, code, title, detail: `${title}.`, request_id: 'req-1', ...more }, { status })
}

export const server = setupServer(
  http.get('/api/config', () => HttpResponse.json(config)),
  http.get('/healthz', () => HttpResponse.json({ status: 'alive' })),
)

export function useServer() {
  beforeAll(() => { server.listen({ onUnhandledRequest: 'error' }) })
  afterEach(() => {
    server.resetHandlers()
    queryClient.clear()
    localStorage.clear()
  })
  afterAll(() => { server.close() })
}
