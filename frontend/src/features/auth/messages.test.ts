import { AuthApiError, AuthRetryableFetchError, AuthWeakPasswordError } from '@supabase/auth-js'
import { describe, expect, it } from 'vitest'
import { ApiError } from '@/api/client'
import { explain, explainRedirect } from './messages'

describe('explain', () => {
  it.each([
    [new AuthApiError('Invalid login credentials', 400, 'invalid_credentials'), 'Email or password is wrong. Check both, or reset the password.'],
    [new AuthApiError('User already registered', 422, 'user_already_exists'), /exists already\. Sign in/],
    [new AuthApiError('Token has expired or is invalid', 403, 'otp_expired'), /no longer valid\. Check it/],
    [new AuthApiError('Too many', 429, 'over_request_rate_limit'), /Too many attempts.*Wait/],
    [new AuthRetryableFetchError('Failed to fetch', 0), /does not answer\. Check that Tidemark is running/],
    [new AuthWeakPasswordError('Password should be at least 8 characters.', 422, ['length']), 'This password is too short. Use at least 8 characters.'],
    [new AuthWeakPasswordError('Weak', 422, ['characters', 'pwned']), /too weak: it needs more kinds of characters, it is known from a data leak\. Choose/],
    [new TypeError('Failed to fetch'), /does not answer/],
    [new ApiError({ status: 0, code: 'unreachable', title: 'Tidemark does not answer', detail: 'Check it.' }), 'Tidemark does not answer. Check it.'],
    [new AuthApiError('Something new', 400, 'never_heard_of'), 'Something new. Correct it and try again.'],
    ['not even an error', /unexpected/],
  ])('%s', (error, expected) => {
    expect(explain(error)).toMatch(expected)
  })

  it('says cause and remedy: at least two sentences each', () => {
    const codes = ['invalid_credentials', 'email_exists', 'signup_disabled', 'user_banned', 'session_not_found', 'bad_code_verifier', 'same_password']
    for (const code of codes) expect(explain(new AuthApiError('x', 400, code)).split('. ').length).toBeGreaterThanOrEqual(2)
  })
})

describe('explainRedirect', () => {
  it('speaks of the link, not of a code, when a link no longer works', () => {
    expect(explainRedirect('otp_expired')).toMatch(/^This link/)
    expect(explainRedirect(null)).toMatch(/^This link/)
    expect(explainRedirect('user_banned')).toMatch(/suspended/)
  })
})
