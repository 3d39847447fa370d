import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, follow, mail, newEmail, password, url } from './installation.mjs'

const registered = async () => {
  const email = newEmail()
  await client().auth.signUp({ email, password })
  return email
}

test('recovers a password by code', async () => {
  const email = await registered()
  const { auth } = client()
  assert.equal((await auth.resetPasswordForEmail(email)).error, null)
  assert.equal((await auth.resetPasswordForEmail(newEmail())).error, null)
  const { code } = await mail(email)
  const wrong = await auth.verifyOtp({ email, token: code === '000000' ? '000001' : '000000', type: 'recovery' })
  assert.deepEqual([wrong.error.status, wrong.error.code], [403, 'otp_expired'])
  const right = await auth.verifyOtp({ email, token: code, type: 'recovery' })
  assert.equal(right.error, null)
  assert.equal((await auth.updateUser({ password: 'chosen after recovery' })).error, null)
  assert.equal((await client().auth.signInWithPassword({ email, password: 'chosen after recovery' })).error, null)
  const spent = await client().auth.verifyOtp({ email, token: code, type: 'recovery' })
  assert.equal(spent.error.code, 'otp_expired')
})

test('recovers a password by link, PKCE', async () => {
  const email = await registered()
  const { auth } = client({ flowType: 'pkce' })
  const events = []
  auth.onAuthStateChange((event) => events.push(event))
  await auth.resetPasswordForEmail(email, { redirectTo: `${url}/reset` })
  const place = await follow((await mail(email)).link)
  assert.equal(place.pathname, '/reset')
  const exchanged = await auth.exchangeCodeForSession(place.searchParams.get('code'))
  assert.equal(exchanged.error, null)
  assert.equal(exchanged.data.user.email, email)
  assert.ok(events.includes('PASSWORD_RECOVERY'))
  const again = await client({ flowType: 'pkce' }).auth.exchangeCodeForSession(place.searchParams.get('code'))
  assert.notEqual(again.error, null)
})

test('signs in by a link, implicit', async () => {
  const email = newEmail()
  const { auth } = client()
  assert.equal((await auth.signInWithOtp({ email })).error, null)
  const place = await follow((await mail(email)).link)
  const tokens = new URLSearchParams(place.hash.slice(1))
  assert.equal(tokens.get('type'), 'magiclink')
  const { data, error } = await auth.setSession({
    access_token: tokens.get('access_token'),
    refresh_token: tokens.get('refresh_token'),
  })
  assert.equal(error, null)
  assert.equal(data.user.email, email)
})

test('signs in by a code of either kind', async () => {
  const email = newEmail()
  for (const flowType of ['implicit', 'pkce']) {
    const { auth } = client({ flowType })
    await auth.signInWithOtp({ email })
    const { data, error } = await auth.verifyOtp({ email, token: (await mail(email)).code, type: 'email' })
    assert.equal(error, null)
    assert.equal(data.user.email, email)
  }
})

test('makes no user unless asked', async () => {
  const { error } = await client().auth.signInWithOtp({ email: newEmail(), options: { shouldCreateUser: false } })
  assert.deepEqual([error.status, error.code], [422, 'otp_disabled'])
})

test('changes an address once it is confirmed', async () => {
  const old = await registered()
  const { auth } = client()
  await auth.signInWithPassword({ email: old, password })
  const email = newEmail()
  const pending = await auth.updateUser({ email })
  assert.deepEqual([pending.data.user.email, pending.data.user.new_email], [old, email])
  const changed = await auth.verifyOtp({ email, token: (await mail(email)).code, type: 'email_change' })
  assert.equal(changed.error, null)
  assert.equal(changed.data.user.email, email)
})

test('confirms by a code who is there', async () => {
  const email = await registered()
  const { auth } = client()
  await auth.signInWithPassword({ email, password })
  assert.equal((await auth.reauthenticate()).error, null)
  assert.match((await mail(email)).code, /^\d{6}$/)
})
