// The running installation, told by the environment, and the official client for it.
import WebSocket from 'ws'
import { createClient } from '@supabase/supabase-js'

globalThis.WebSocket ??= WebSocket // Node 20 has none, and the client insists on one

const { AUTH_URL, PUBLISHABLE_KEY, ANON_KEY, SECRET_KEY, SERVICE_ROLE_KEY, MAILBOX_URL } = process.env
if (!AUTH_URL) throw new Error('These tests are started by pytest: ./scripts/test integration -- -k javascript')

export const keys = {
  publishable: PUBLISHABLE_KEY,
  anon: ANON_KEY,
  secret: SECRET_KEY,
  serviceRole: SERVICE_ROLE_KEY,
}
export const url = AUTH_URL
export const password = 'correct horse battery'

const memory = () => {
  const items = new Map()
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  }
}

export const client = (options = {}, key = keys.publishable) =>
  createClient(AUTH_URL, key, {
    auth: { autoRefreshToken: false, detectSessionInUrl: false, storage: memory(), ...options },
  })

export const admin = (key = keys.secret) => client({ persistSession: false }, key).auth.admin

export const newEmail = () => `${crypto.randomUUID()}@example.com`

export async function mail(email) {
  const found = await (await fetch(`${MAILBOX_URL}/api/v1/search?query=to:${email}`)).json()
  const whole = await (await fetch(`${MAILBOX_URL}/api/v1/message/${found.messages[0].ID}`)).json()
  return {
    code: /Your code: (\d{6})/.exec(whole.Text)[1],
    link: /https?:\/\/\S+\/verify\?\S+/.exec(whole.Text)?.[0],
  }
}

export const follow = async (link) => new URL((await fetch(link, { redirect: 'manual' })).headers.get('location'))
