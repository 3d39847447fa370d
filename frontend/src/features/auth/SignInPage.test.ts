import userEvent from '@testing-library/user-event'
import { screen } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it } from 'vitest'
import { renderPage } from '@/testing/render'
import { server, useServer } from '@/testing/server'
import SignInPage from './SignInPage.vue'

useServer()

function settings(change: { demo?: boolean, closed?: boolean } = {}) {
  server.use(http.get('/auth/v1/settings', () => HttpResponse.json({
    disable_signup: change.closed ?? false, mailer_autoconfirm: true, external: { email: true, anonymous_users: change.demo ?? true },
  })))
}

beforeEach(() => { settings() })

describe('SignInPage', () => {
  it('offers the demo and an account', async () => {
    await renderPage(SignInPage, { at: '/sign-in' })
    expect(await screen.findByRole('button', { name: 'Try the demo' })).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Create an account' })).toBeTruthy()
  })

  it('hides what the installation has switched off', async () => {
    settings({ demo: false, closed: true })
    await renderPage(SignInPage, { at: '/sign-in' })
    await expect.poll(() => screen.queryByRole('link', { name: 'Create an account' })).toBeNull()
    expect(screen.queryByRole('button', { name: 'Try the demo' })).toBeNull()
  })

  it('says what is missing and puts the cursor there, before asking the server', async () => {
    await renderPage(SignInPage, { at: '/sign-in' })
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(screen.getByText('Enter your email.')).toBeTruthy()
    expect(screen.getByText('Enter your password.')).toBeTruthy()
    expect(document.activeElement).toBe(screen.getByLabelText('Email'))
  })

  it('announces a refusal in plain words and keeps what was typed', async () => {
    server.use(http.post('/auth/v1/token', () => HttpResponse.json(
      { code: 'invalid_credentials', message: 'Invalid login credentials' },
      { status: 400, headers: { 'X-Supabase-Api-Version': '2024-01-01' } },
    )))
    await renderPage(SignInPage, { at: '/sign-in' })
    await userEvent.type(screen.getByLabelText('Email'), 'ada@example.com')
    await userEvent.type(screen.getByLabelText('Password'), 'nope{Enter}')
    expect((await screen.findByRole('alert')).textContent).toBe('Email or password is wrong. Check both, or reset the password.')
    expect(screen.getByLabelText<HTMLInputElement>('Email').value).toBe('ada@example.com')
  })

  it('goes where one wanted to go', async () => {
    server.use(http.post('/auth/v1/token', () => HttpResponse.json({
      access_token: 'a.b.c', token_type: 'bearer', expires_in: 3600, refresh_token: 'abcdefabcdef',
      user: { id: 'u-1', aud: 'authenticated', email: 'ada@example.com', app_metadata: {}, user_metadata: {}, created_at: '' },
    })))
    const { router } = await renderPage(SignInPage, { at: '/sign-in?next=/settings/security' })
    await userEvent.type(screen.getByLabelText('Email'), 'ada@example.com')
    await userEvent.type(screen.getByLabelText('Password'), 'right{Enter}')
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/settings/security')
  })
})
