import userEvent from '@testing-library/user-event'
import { screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError, takeTokensFrom } from '@/api/client'
import { exportMyData, type OwnData } from '@/api/ownData'
import { saveBlob } from '@/shared/saveBlob'
import { renderPage } from '@/testing/render'
import { problem, profile, server, session, useServer } from '@/testing/server'
import { losses } from './ownDataWords'
import SecurityPanel from './SecurityPanel.vue'
import YourDataPanel from './YourDataPanel.vue'

// Files do not go through the server of these tests; the browser tests take one along.
vi.mock('@/api/ownData', async (original) => ({ ...await original<typeof import('@/api/ownData')>(), exportMyData: vi.fn() }))
vi.mock('@/shared/saveBlob', () => ({ saveBlob: vi.fn() }))

useServer()

const me = { ...profile(), etag: '"3"' }

function own(change: Partial<OwnData> = {}): OwnData {
  const item = (name: string, count: number) => ({ name, count, file: `${name}.json`, about: 'What it is.' })
  return {
    items: [item('profile', 1), item('backtests', 1204), item('strategies', 1), item('imported series', 1), item('models', 0)],
    disk_bytes: 2 ** 20, has_password: true, most_exports_a_day: 5, ...change,
  }
}

const holds = (data: OwnData) => http.get('/api/me/data', () => HttpResponse.json(data))

async function openDialog(data = own()) {
  server.use(holds(data))
  await renderPage(YourDataPanel, { props: { me } })
  await screen.findByText('1,204')
  await userEvent.click(screen.getByRole('button', { name: 'Delete account…' }))
  return await screen.findByRole('alertdialog')
}

describe('YourDataPanel', () => {
  it('names what there is, and what stays after a deletion', async () => {
    server.use(holds(own()))
    await renderPage(YourDataPanel, { props: { me } })
    expect((await screen.findByText('Backtests')).parentElement?.textContent).toContain('1,204')
    expect(screen.queryByText('Models')).toBeNull()
    expect(screen.getByText(/Lines of the audit log/)).toBeTruthy()
  })

  it('saves the archive, and says why when it cannot', async () => {
    server.use(holds(own()))
    vi.mocked(exportMyData).mockResolvedValueOnce(new Blob(['PK']))
    await renderPage(YourDataPanel, { props: { me } })
    await userEvent.click(screen.getByRole('button', { name: 'Download everything' }))
    await expect.poll(() => vi.mocked(saveBlob).mock.calls[0]?.[0]).toMatch(/^tidemark-\d{4}-\d\d-\d\d\.zip$/)
    vi.mocked(exportMyData).mockRejectedValueOnce(new ApiError({
      status: 429, code: 'too_many_exports', title: 'You exported your data often today', detail: 'Try again in 3 h.',
    }))
    await userEvent.click(screen.getByRole('button', { name: 'Download everything' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Try again in 3 h.')
  })
})

describe('DeleteAccountDialog', () => {
  it('asks for the words and the password before anything is sent', async () => {
    const dialog = await openDialog()
    expect(within(dialog).getByText('1,204 backtests')).toBeTruthy()
    const confirm = within(dialog).getByRole<HTMLButtonElement>('button', { name: 'Delete my account' })
    expect(confirm.disabled).toBe(true)
    await userEvent.type(within(dialog).getByLabelText(/to confirm/), 'delete my account')
    expect(confirm.disabled).toBe(true)
    await userEvent.type(within(dialog).getByLabelText('Your password'), 'horse')
    expect(confirm.disabled).toBe(false)
  })

  it('says at the field that the password is wrong, and stays', async () => {
    const dialog = await openDialog()
    server.use(http.delete('/api/me', () => problem(403, 'password_wrong', 'The password is not right')))
    await userEvent.type(within(dialog).getByLabelText(/to confirm/), 'delete my account')
    await userEvent.type(within(dialog).getByLabelText('Your password'), 'wrong')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Delete my account' }))
    expect(await within(dialog).findByText(/This is not your password/)).toBeTruthy()
    expect(within(dialog).getByLabelText('Your password').getAttribute('aria-invalid')).toBe('true')
  })

  it('deletes a demo without a password, and forgets the session here', async () => {
    let sent: unknown
    const drop = vi.fn(() => Promise.resolve())
    takeTokensFrom({ token: () => Promise.resolve('token'), drop })
    const dialog = await openDialog(own({ has_password: false }))
    server.use(http.delete('/api/me', async ({ request }) => {
      sent = await request.json()
      return new HttpResponse(null, { status: 204 })
    }))
    expect(within(dialog).queryByLabelText('Your password')).toBeNull()
    await userEvent.type(within(dialog).getByLabelText(/to confirm/), 'delete my account')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Delete my account' }))
    await expect.poll(() => drop.mock.calls.length).toBe(1)
    expect(sent).toEqual({ confirm: 'delete my account' })
  })
})

describe('losses', () => {
  it('counts one and many, and leaves out what is not there', () => {
    expect(losses(own())).toEqual([
      '1,204 backtests', '1 strategy', '1 imported series', '1.0 MiB of files on the server',
      'Tasks that run are stopped, every device is signed out, and shared links show nothing any more.',
    ])
  })
})

describe('SecurityPanel', () => {
  beforeEach(() => {
    const none = () => HttpResponse.json({ items: [], next_cursor: null })
    server.use(http.get('/api/me/tokens', none), http.get('/api/shares', none))
  })

  it('ends all other sessions at once, when there are some', async () => {
    let asked: string | null = null
    server.use(
      http.get('/api/me/sessions', () => HttpResponse.json({ items: [session(), session({ id: 'there', is_current: false })], next_cursor: null })),
      http.delete('/api/me/sessions', ({ request }) => {
        asked = new URL(request.url).searchParams.get('others')
        return new HttpResponse(null, { status: 204 })
      }),
    )
    await renderPage(SecurityPanel, { props: { me } })
    await userEvent.click(await screen.findByRole('button', { name: 'End the other session' }))
    await userEvent.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'End other session' }))
    await expect.poll(() => asked).toBe('true')
  })

  it('offers no such end while this is the only session', async () => {
    server.use(http.get('/api/me/sessions', () => HttpResponse.json({ items: [session()], next_cursor: null })))
    await renderPage(SecurityPanel, { props: { me } })
    expect(await screen.findByText('This browser')).toBeTruthy()
    expect(screen.getByText(/in use/).textContent).not.toMatch(/ago/)
    expect(screen.queryByRole('button', { name: /^End (all|the) other/ })).toBeNull()
  })
})
