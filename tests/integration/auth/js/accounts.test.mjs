import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAuthApiError, isAuthSessionMissingError, isAuthWeakPasswordError } from '@supabase/supabase-js'
import { client, keys, newEmail, password } from './installation.mjs'

test('signs up, in and out', async () => {
  const email = newEmail()
  const { auth } = client()
  const events = []
  auth.onAuthStateChange((event) => events.push(event))
  const signedUp = await auth.signUp({ email, password, options: { data: { name: 'Ann' } } })
  assert.equal(signedUp.error, null)
  assert.equal(signedUp.data.user.email, email)
  assert.equal(signedUp.data.user.user_metadata.name, 'Ann')
  assert.equal(signedUp.data.user.role, 'authenticated')
  assert.equal(signedUp.data.session.token_type, 'bearer')
  assert.equal(signedUp.data.session.expires_in, 3600)
  assert.equal((await auth.getUser()).data.user.id, signedUp.data.user.id)
  assert.equal((await auth.signOut()).error, null)
  assert.equal((await auth.getSession()).data.session, null)
  const signedIn = await auth.signInWithPassword({ email, password })
  assert.equal(signedIn.error, null)
  assert.equal(signedIn.data.weakPassword ?? undefined, undefined)
  assert.deepEqual(
    events.filter((event) => event !== 'INITIAL_SESSION'),
    ['SIGNED_IN', 'SIGNED_OUT', 'SIGNED_IN'],
  )
})

test('tells errors by their codes', async () => {
  const { auth } = client()
  const email = newEmail()
  const unknown = await auth.signInWithPassword({ email, password })
  assert.ok(isAuthApiError(unknown.error))
  assert.deepEqual(
    [unknown.error.status, unknown.error.code, unknown.error.message],
    [400, 'invalid_credentials', 'Invalid login credentials'],
  )
  const weak = await auth.signUp({ email, password: 'short' })
  assert.ok(isAuthWeakPasswordError(weak.error))
  assert.deepEqual(weak.error.reasons, ['length'])
  await auth.signUp({ email, password })
  const twice = await client().auth.signUp({ email, password })
  assert.deepEqual([twice.error.status, twice.error.code], [422, 'user_already_exists'])
})

test('checks claims by the published keys', async () => {
  const { auth } = client()
  const { data } = await auth.signUp({ email: newEmail(), password })
  const claims = await auth.getClaims()
  assert.equal(claims.error, null)
  assert.equal(claims.data.header.alg, 'ES256')
  assert.equal(claims.data.claims.sub, data.user.id)
  assert.equal(claims.data.claims.aud, 'authenticated')
  assert.equal((await auth.mfa.getAuthenticatorAssuranceLevel()).data.currentLevel, 'aal1')
  assert.deepEqual((await auth.mfa.listFactors()).data.all, [])
})

test('refreshes, and two tabs get one token', async () => {
  const { auth } = client()
  const { data } = await auth.signUp({ email: newEmail(), password })
  const tabs = await Promise.all(
    [client(), client()].map((tab) => tab.auth.refreshSession({ refresh_token: data.session.refresh_token })),
  )
  for (const tab of tabs) assert.equal(tab.error, null)
  assert.equal(new Set(tabs.map((tab) => tab.data.session.refresh_token)).size, 1)
  assert.notEqual(tabs[0].data.session.refresh_token, data.session.refresh_token)
  const never = await client().auth.refreshSession({ refresh_token: 'neverissuedtoken' })
  assert.equal(never.error.code, 'refresh_token_not_found')
})

test('signs out of one, the others, or all', async () => {
  const email = newEmail()
  const [one, two, three] = [client(), client(), client()]
  await one.auth.signUp({ email, password })
  for (const other of [two, three]) await other.auth.signInWithPassword({ email, password })
  assert.equal((await one.auth.signOut({ scope: 'others' })).error, null)
  assert.ok(isAuthSessionMissingError((await two.auth.getUser()).error))
  assert.equal((await one.auth.getUser()).error, null)
  assert.equal((await one.auth.signOut({ scope: 'local' })).error, null)
  assert.equal((await one.auth.getSession()).data.session, null)
})

test('lets anonymous visitors become users', async () => {
  const { auth } = client()
  const visitor = await auth.signInAnonymously({ options: { data: { theme: 'dark' } } })
  assert.equal(visitor.error, null)
  assert.equal(visitor.data.user.is_anonymous, true)
  const email = newEmail()
  const user = await auth.updateUser({ email, password })
  assert.equal(user.error, null)
  assert.deepEqual(
    [user.data.user.id, user.data.user.email, user.data.user.is_anonymous],
    [visitor.data.user.id, email, false],
  )
  assert.equal((await client().auth.signInWithPassword({ email, password })).error, null)
})

test('changes the password and the metadata', async () => {
  const { auth } = client()
  const email = newEmail()
  await auth.signUp({ email, password })
  assert.equal((await auth.updateUser({ password })).error.code, 'same_password')
  assert.equal((await auth.updateUser({ password: 'an altogether new one', data: { a: 1 } })).data.user.user_metadata.a, 1)
  assert.equal((await client().auth.signInWithPassword({ email, password })).error.code, 'invalid_credentials')
  assert.equal((await client().auth.signInWithPassword({ email, password: 'an altogether new one' })).error, null)
})

test('works with the keys of the older style', async () => {
  const { auth } = client({}, keys.anon)
  const { error } = await auth.signUp({ email: newEmail(), password })
  assert.equal(error, null)
  assert.equal((await auth.getUser()).error, null)
})

test('refuses what it does not offer without a server error', async () => {
  const { auth } = client()
  await auth.signUp({ email: newEmail(), password })
  const phone = await auth.signInWithOtp({ phone: '+15551234567' })
  assert.equal(phone.error.code, 'phone_provider_disabled')
  const factor = await auth.mfa.enroll({ factorType: 'totp' })
  assert.equal(factor.error.code, 'mfa_totp_enroll_not_enabled')
  const sso = await auth.signInWithSSO({ domain: 'example.com' })
  assert.equal(sso.error.code, 'saml_provider_disabled')
})
