import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admin, client, follow, keys, newEmail, password } from './installation.mjs'

for (const [style, key] of [
  ['new', keys.secret],
  ['older', keys.serviceRole],
]) {
  test(`manages users with a key of the ${style} style`, async () => {
    const email = newEmail()
    const users = admin(key)
    const made = await users.createUser({ email, password, email_confirm: true, app_metadata: { role: 'admin' } })
    assert.equal(made.error, null)
    assert.equal(made.data.user.app_metadata.role, 'admin')
    const id = made.data.user.id
    assert.equal((await users.getUserById(id)).data.user.email, email)
    const changed = await users.updateUserById(id, { user_metadata: { a: 1 }, ban_duration: '24h' })
    assert.equal(changed.data.user.user_metadata.a, 1)
    assert.equal((await client().auth.signInWithPassword({ email, password })).error.code, 'user_banned')
    await users.updateUserById(id, { ban_duration: 'none' })
    assert.equal((await client().auth.signInWithPassword({ email, password })).error, null)
    assert.equal((await users.createUser({ email })).error.code, 'email_exists')
    assert.equal((await users.deleteUser(id)).error, null)
    const gone = await users.getUserById(id)
    assert.deepEqual([gone.error.status, gone.error.code], [404, 'user_not_found'])
  })
}

test('lists users in pages', async () => {
  const users = admin()
  for (let number = 0; number < 3; number += 1) await users.createUser({ email: newEmail() })
  const { data, error } = await users.listUsers({ page: 1, perPage: 2 })
  assert.equal(error, null)
  assert.equal(data.users.length, 2)
  assert.equal(data.nextPage, 2)
  assert.ok(data.total >= 3)
  assert.equal(data.aud, 'authenticated')
})

test('makes links that sign in', async () => {
  const email = newEmail()
  const users = admin()
  const signup = await users.generateLink({ type: 'signup', email, password })
  assert.equal(signup.error, null)
  assert.equal(signup.data.user.email, email)
  const place = await follow(signup.data.properties.action_link)
  assert.match(place.hash, /access_token=/)
  const magic = await users.generateLink({ type: 'magiclink', email })
  const verified = await client().auth.verifyOtp({
    token_hash: magic.data.properties.hashed_token,
    type: magic.data.properties.verification_type,
  })
  assert.equal(verified.error, null)
  assert.equal(verified.data.user.email, email)
  const unknown = await users.generateLink({ type: 'recovery', email: newEmail() })
  assert.deepEqual([unknown.error.status, unknown.error.code], [404, 'user_not_found'])
})

test('invites', async () => {
  const email = newEmail()
  const invited = await admin().inviteUserByEmail(email)
  assert.equal(invited.error, null)
  assert.ok(invited.data.user.invited_at)
})

test('signs a user out', async () => {
  const { auth } = client()
  const { data } = await auth.signUp({ email: newEmail(), password })
  assert.equal((await admin().signOut(data.session.access_token)).error, null)
  assert.notEqual((await auth.getUser()).error, null)
})

test('is for operators only', async () => {
  const stranger = client({ persistSession: false }).auth.admin
  const { error } = await stranger.listUsers()
  assert.deepEqual([error.status, error.code], [403, 'not_admin'])
})
