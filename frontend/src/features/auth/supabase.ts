/** Supabase Auth, embedded or hosted. The client is heavy and only needed around a sign-in, so it is loaded when first used. */
import type { AuthClient } from '@supabase/auth-js'
import { installation } from '@/api/installation'

export const sessionStorageKey = 'tidemark.session'

export interface Supabase {
  auth: InstanceType<typeof AuthClient>
}

let client: Promise<Supabase> | undefined

export function supabase(): Promise<Supabase> {
  client ??= load().catch((error: unknown) => {
    client = undefined // so that the next click tries again
    throw error
  })
  return client
}

/** True when this browser holds a session, found without loading the client. */
export function holdsSession() {
  try {
    return localStorage.getItem(sessionStorageKey) !== null
  } catch {
    return false
  }
}

export function forgetSession() {
  for (const key of [sessionStorageKey, `${sessionStorageKey}-code-verifier`, `${sessionStorageKey}-user`]) {
    try {
      localStorage.removeItem(key)
    } catch {
      return
    }
  }
}

async function load(): Promise<Supabase> {
  const [project, { AuthClient: Client }] = await Promise.all([installation(), import('./authClient')])
  const key = project.publishable_key
  const auth = new Client({
    url: `${project.supabase_url || window.location.origin}/auth/v1`,
    headers: { apikey: key, Authorization: `Bearer ${key}` },
    storageKey: sessionStorageKey,
    flowType: 'pkce',
    detectSessionInUrl: false,
    autoRefreshToken: true,
    persistSession: true,
  })
  return { auth }
}

/** What the auth server says about itself: whether the demo is on, whether new accounts are taken. */
export interface AuthSettings {
  disable_signup: boolean
  mailer_autoconfirm: boolean
  external: { anonymous_users: boolean, email: boolean }
}

export async function authSettings(): Promise<AuthSettings> {
  const project = await installation()
  const response = await fetch(`${project.supabase_url}/auth/v1/settings`, { headers: { apikey: project.publishable_key } })
  if (!response.ok) throw new Error(`The sign-in service answered ${response.status}`)
  return await response.json() as AuthSettings
}
