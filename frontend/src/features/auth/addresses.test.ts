import { describe, expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { destination } from './destination'
import { emailProblem, newPasswordProblem } from './fields'
import { arrivedBy } from './link'

const page = { template: '<p />' }
const router = createRouter({
  history: createMemoryHistory(),
  routes: [
    { path: '/', component: page, meta: { access: 'signed_in' } },
    { path: '/settings/:tab?', component: page, meta: { access: 'signed_in' } },
    { path: '/sign-in', component: page, meta: { access: 'guests' } },
  ],
})

describe('destination', () => {
  it.each([
    ['/settings/security?x=1', '/settings/security?x=1'],
    ['https://evil.example', '/'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['/sign-in', '/'],
    [undefined, '/'],
    [['/settings', '/'], '/'],
  ])('%s leads to %s', (next, expected) => {
    expect(destination(router, { query: next === undefined ? {} : { next } })).toBe(expected)
  })
})

describe('arrivedBy', () => {
  it('finds the code of a link', () => {
    expect(arrivedBy({ query: { code: 'abc' }, hash: '' })).toEqual({ code: 'abc', failure: '' })
  })

  it('finds the reason in the fragment, where the auth server puts it', () => {
    const { code, failure } = arrivedBy({ query: {}, hash: '#error=access_denied&error_code=otp_expired&error_description=x' })
    expect(code).toBeNull()
    expect(failure).toMatch(/^This link is wrong, was used already or is too old/)
  })
})

describe('fields', () => {
  it.each([['', /Enter/], ['ada', /not an email/], ['ada@example', /not an email/], [' ada@example.com ', /^$/]])('email %s', (email, expected) => {
    expect(emailProblem(email)).toMatch(expected)
  })

  it.each([['', /Choose/], ['1234567', /at least 8/], ['12345678', /^$/], ['ä'.repeat(37), /Too long/]])('password %s', (password, expected) => {
    expect(newPasswordProblem(password)).toMatch(expected)
  })
})
