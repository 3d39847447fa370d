import userEvent from '@testing-library/user-event'
import { screen } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { afterEach, describe, expect, it } from 'vitest'
import { renderPage } from '@/testing/render'
import { config, server, useServer } from '@/testing/server'
import ForgottenPasswordPage from './ForgottenPasswordPage.vue'

useServer()
afterEach(() => { window.history.replaceState(null, '') })

function installation({ mailbox, confirmsItself }: { mailbox: string | null, confirmsItself: boolean }) {
  server.use(
    http.get('/api/config', () => HttpResponse.json({ ...config, mailbox_url: mailbox })),
    http.get('/auth/v1/settings', () => HttpResponse.json({
      disable_signup: false, mailer_autoconfirm: confirmsItself, external: { email: true, anonymous_users: true },
    })),
    http.post('/auth/v1/recover', () => HttpResponse.json({})),
  )
}

async function ask() {
  window.history.replaceState({ email: 'ada@example.com' }, '')
  await renderPage(ForgottenPasswordPage, { at: '/forgotten-password' })
}

describe('ForgottenPasswordPage', () => {
  it('knows the email that was typed on the way, and where a message is kept on a developer\'s machine', async () => {
    installation({ mailbox: 'http://127.0.0.1:8025', confirmsItself: true })
    await ask()
    expect(screen.getByLabelText<HTMLInputElement>('Email').value).toBe('ada@example.com')
    await userEvent.click(screen.getByRole('button', { name: 'Send code' }))
    const link = await screen.findByRole<HTMLAnchorElement>('link', { name: /development mailbox/ })
    expect(link.href).toBe('http://127.0.0.1:8025/')
  })

  it('names no mailbox where mail is really sent', async () => {
    installation({ mailbox: null, confirmsItself: false })
    await ask()
    await userEvent.click(screen.getByRole('button', { name: 'Send code' }))
    await screen.findByLabelText('Code')
    expect(screen.queryByRole('link', { name: /mailbox/ })).toBeNull()
  })

  it('promises no message where none can be sent', async () => {
    installation({ mailbox: null, confirmsItself: true })
    await ask()
    expect(await screen.findByText(/cannot send mail/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Send code' })).toBeNull()
  })
})
