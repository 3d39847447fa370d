import userEvent from '@testing-library/user-event'
import { screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it } from 'vitest'
import { renderPage } from '@/testing/render'
import { problem, profile, server, session, useServer } from '@/testing/server'
import { deviceOf } from './device'
import ProfileForm from './ProfileForm.vue'
import SecurityPanel from './SecurityPanel.vue'

useServer()

const me = { ...profile(), etag: '"3"' }

describe('ProfileForm', () => {
  it('sends the version it was opened with', async () => {
    let sent: { ifMatch: string | null, body: unknown } | undefined
    server.use(http.patch('/api/me', async ({ request }) => {
      sent = { ifMatch: request.headers.get('if-match'), body: await request.json() }
      return HttpResponse.json(profile({ display_name: 'Grace', version: 4 }), { headers: { ETag: '"4"' } })
    }))
    await renderPage(ProfileForm, { props: { me } })
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Save profile' }).disabled).toBe(true)
    await userEvent.clear(screen.getByLabelText('Name'))
    await userEvent.type(screen.getByLabelText('Name'), '  Grace ')
    await userEvent.click(screen.getByRole('button', { name: 'Save profile' }))
    await expect.poll(() => sent).toEqual({ ifMatch: '"3"', body: { display_name: 'Grace', preferences: { timezone: 'UTC' } } })
  })

  it('shows what the server says about a field at that field', async () => {
    server.use(http.patch('/api/me', () => problem(422, 'invalid_input', 'Some input is not valid', {
      errors: [{ pointer: '/display_name', detail: 'One line of visible characters.' }],
    })))
    await renderPage(ProfileForm, { props: { me } })
    await userEvent.type(screen.getByLabelText('Name'), '\u200B')
    await userEvent.click(screen.getByRole('button', { name: 'Save profile' }))
    expect(await screen.findByText('One line of visible characters.')).toBeTruthy()
    expect(screen.getByLabelText('Name').getAttribute('aria-invalid')).toBe('true')
  })

  it('keeps what was typed when somebody else saved first, and says so', async () => {
    server.use(
      http.patch('/api/me', () => problem(412, 'version_conflict', 'Changed meanwhile')),
      http.get('/api/me', () => HttpResponse.json(profile({ version: 4 }), { headers: { ETag: '"4"' } })),
    )
    await renderPage(ProfileForm, { props: { me } })
    await userEvent.type(screen.getByLabelText('Name'), ' Lovelace')
    await userEvent.click(screen.getByRole('button', { name: 'Save profile' }))
    expect((await screen.findByRole('alert')).textContent).toMatch(/changed elsewhere/)
    expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('Ada Lovelace')
  })
})

describe('SecurityPanel', () => {
  beforeEach(() => {
    const none = () => HttpResponse.json({ items: [], next_cursor: null })
    server.use(http.get('/api/me/tokens', none), http.get('/api/shares', none))
  })

  it('names every session, and offers no end for the one in use', async () => {
    server.use(http.get('/api/me/sessions', () => HttpResponse.json({
      items: [session(), session({ id: 'there', is_current: false, user_agent: 'curl/8.0', ip: null })], next_cursor: null,
    })))
    await renderPage(SecurityPanel, { props: { me } })
    const rows = await screen.findAllByRole('listitem')
    expect(rows.map((row) => within(row).queryByRole('button')?.getAttribute('aria-label') ?? null)).toEqual([null, 'End session of curl'])
    expect(rows[0]?.textContent).toContain('Firefox on Linux')
  })

  it('asks first, and tells in the dialog when ending failed', async () => {
    server.use(
      http.get('/api/me/sessions', () => HttpResponse.json({ items: [session({ id: 'there', is_current: false })], next_cursor: null })),
      http.delete('/api/me/sessions/there', () => problem(404, 'session_not_found', 'No such session')),
    )
    await renderPage(SecurityPanel, { props: { me } })
    await userEvent.click(await screen.findByRole('button', { name: /^End session of/ }))
    const dialog = await screen.findByRole('alertdialog')
    await userEvent.click(within(dialog).getByRole('button', { name: 'End session' }))
    expect((await within(dialog).findByRole('alert')).textContent).toBe('No such session.')
  })

  it('shows cause, remedy and request id when the list cannot be read', async () => {
    server.use(http.get('/api/me/sessions', () => problem(403, 'account_suspended', 'This account is suspended')))
    await renderPage(SecurityPanel, { props: { me } })
    expect((await screen.findByRole('alert')).textContent).toMatch(/sessions could not be loaded.*This account is suspended.*req-1/s)
  })
})

describe('deviceOf', () => {
  it.each([
    ['Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0', 'Edge on Windows', false],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari on iPhone', true],
    ['Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36', 'Chrome on Android', true],
    ['python-httpx/0.28', 'Python', false],
    [null, 'Unknown device', false],
  ])('%s', (agent, name, isPhone) => {
    expect(deviceOf(agent)).toEqual({ name, isPhone })
  })
})
