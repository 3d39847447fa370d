import userEvent from '@testing-library/user-event'
import { screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import type { VersionedProfile } from '@/api/accounts'
import type { ExchangeKey, KeyEvent } from '@/api/exchangeKeys'
import { queryClient } from '@/api/queries'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { addCommands, listCommands, testCommand } from './keyCommands'
import { providers } from './keyProviders'
import KeysPanel from './KeysPanel.vue'
import { clockWords, isShortOfRoom, providerName, roomWords, withdrawalWords } from './keyWords'

useServer()
const secret = 'NhqP-made-up-secret-j0Nd'

function health(change: Partial<ExchangeKey['health']> = {}): ExchangeKey['health'] {
  return {
    state: 'works', detail: 'Binance takes this key.', clock_skew_seconds: 0.02, requests_limit: 12_000, requests_left: 11_850,
    is_bound_to_addresses: true, ...change,
  }
}

function key(change: Partial<ExchangeKey> = {}): ExchangeKey {
  return {
    id: 'one', provider: 'crypto:binance', title: 'Binance', label: 'Research', hint: 'vmPU...A65z', permissions: ['read', 'trade'],
    health: health(), key_version: 1, created_at: '2026-11-20T09:30:00Z', rotated_at: null, tested_at: '2026-11-20T09:30:00Z',
    last_used_at: null, failing_since: null, ...change,
  }
}

function line(change: Partial<KeyEvent> = {}): KeyEvent {
  return {
    id: 'line', at: '2026-11-20T09:30:00Z', action: 'create', outcome: 'done', actor: 'user', key_id: 'one', session_id: null,
    address: '192.0.2.7', provider: 'crypto:binance', hint: 'vmPU...A65z', reason: 'By its owner, in a session.', ...change,
  }
}

const lists = (keys: ExchangeKey[], lines: KeyEvent[] = []) => [
  http.get('/api/keys/', () => HttpResponse.json({ items: keys, next_cursor: null })),
  http.get('/api/keys/audit', () => HttpResponse.json({ items: lines, next_cursor: null })),
]

async function open(change: Parameters<typeof profile>[0] = {}) {
  const me: VersionedProfile = { ...profile(change), etag: '"3"' }
  return await renderPage(KeysPanel, { props: { me } })
}

async function fill(name = 'Research') {
  await userEvent.click(await screen.findByRole('button', { name: 'Add key' }))
  const dialog = await screen.findByRole('dialog', { name: 'Add an API key' })
  await userEvent.type(within(dialog).getByLabelText('Name'), name)
  await userEvent.click(within(dialog).getByLabelText('API key'))
  await userEvent.paste(' vmPU-made-up-A65z\n')
  await userEvent.click(within(dialog).getByLabelText('Secret key'))
  await userEvent.paste(secret)
  return dialog
}

const submit = (dialog: HTMLElement, name = 'Add key') => userEvent.click(within(dialog).getByRole('button', { name }))

describe('the tab of API keys', () => {
  it('says what keys are for while there are none, and that research needs none', async () => {
    server.use(...lists([]))
    await open()
    expect(await screen.findByText(/Research needs none/)).toBeTruthy()
    expect(await screen.findByText('Nothing yet')).toBeTruthy()
  })

  it('tells a visitor of the demo why there are none, how to have some, and asks nothing', async () => {
    await open({ is_demo: true })
    expect(screen.getByRole('link', { name: 'Save as account' }).getAttribute('href')).toBe('/save-demo')
    expect(screen.queryByRole('button', { name: 'Add key' })).toBeNull()
  })

  it('shows of each key what it may do and how it does', async () => {
    server.use(...lists([
      key(),
      key({ id: 'two', label: 'Treasury', permissions: ['read', 'withdraw'], health: health({ clock_skew_seconds: -4.2, requests_left: 12 }) }),
      key({ id: 'three', label: 'Old', failing_since: '2026-11-21T09:30:00Z', health: health({ state: 'refused', detail: 'Binance refused (HTTP 401).' }) }),
      key({ id: 'four', label: 'Lost', health: health({ state: 'unreadable', detail: 'The stored secret was damaged.', clock_skew_seconds: null }) }),
    ]))
    await open()
    const rows = (await screen.findAllByRole('heading', { level: 3 })).slice(0, 4).map((heading) => heading.closest('li')?.textContent ?? '')
    expect(rows[0]).toMatch(/Research.*Binance.*vmPU\.\.\.A65z.*Works.*Reads.*Trades.*11,850 of 12,000 requests left.*bound to certain addresses.*never used.*version 1/)
    expect(rows[1]).toMatch(/Withdraws.*server clock 4\.2 s ahead of Binance's: orders may be refused.*12 of 12,000/)
    expect(rows[2]).toMatch(/Refused.*Binance refused \(HTTP 401\)\..*Not found working since/)
    expect(rows[3]).toMatch(/Damaged.*The stored secret was damaged/)
  })

  it('sends a key once, and keeps no part of it', async () => {
    let sent: unknown
    server.use(...lists([]), http.post('/api/keys/', async ({ request }) => {
      sent = await request.json()
      return HttpResponse.json(key(), { status: 201 })
    }))
    await open()
    const dialog = await fill()
    const field = within(dialog).getByLabelText<HTMLInputElement>('Secret key')
    const against = ['autocomplete', 'data-1p-ignore', 'data-lpignore', 'spellcheck']
    expect(against.map((name) => field.getAttribute(name))).toEqual(['off', '', 'true', 'false'])
    expect(document.body.innerHTML).not.toContain(secret)
    await submit(dialog)
    expect(await screen.findByRole('heading', { name: 'Research' })).toBeTruthy()
    expect(sent).toEqual({ provider: 'crypto:binance', label: 'Research', key: 'vmPU-made-up-A65z', secret })
    expect(field.value).toBe('')
    const answers = queryClient.getQueryCache().getAll().map(({ state }) => state)
    const kept = JSON.stringify([answers, queryClient.getMutationCache().getAll(), { ...localStorage }, { ...sessionStorage }])
    expect(kept).not.toContain(secret)
  })

  it('asks for every part that the provider has before it asks the server', async () => {
    server.use(...lists([]))
    await open()
    await userEvent.click(await screen.findByRole('button', { name: 'Add key' }))
    const dialog = await screen.findByRole('dialog')
    await userEvent.selectOptions(within(dialog).getByLabelText('Provider'), 'OKX')
    await submit(dialog)
    for (const words of ['Give it a name to know it again.', 'Paste the API key.', 'Paste the secret key.', 'Paste the passphrase.']) {
      expect(within(dialog).getByText(words)).toBeTruthy()
    }
    await userEvent.selectOptions(within(dialog).getByLabelText('Provider'), 'Coinbase')
    expect(within(dialog).queryByText('Paste the API key.')).toBeNull()
    expect(within(dialog).getByLabelText('Private key').tagName).toBe('TEXTAREA')
    expect(within(dialog).queryByLabelText('Passphrase')).toBeNull()
  })

  it.each([
    ['a refusal at the key', problem(422, 'key_refused', 'The provider refused this key', { detail: 'Binance refused (HTTP 401). Nothing was stored.', errors: [{ pointer: '/key', detail: 'It refused.' }] }), 'Binance refused (HTTP 401). Nothing was stored.'],
    ['what is wrong at its field', problem(422, 'invalid_input', 'The input is not valid', { errors: [{ pointer: '/label', detail: 'A label has no control characters.' }] }), 'A label has no control characters.'],
    ['a provider that does not answer', problem(502, 'vendor_unavailable', 'The data provider does not answer', { detail: 'Binance answered HTTP 503. Try again later.' }), 'Binance cannot be reached'],
    ['a limit', problem(429, 'quota_reached', 'You have reached a limit', { detail: 'You have 20 exchange keys; at most 20 are allowed.' }), 'The key was not stored'],
    ['a server that is gone', HttpResponse.error(), 'Nobody knows whether the key was stored'],
  ])('tells %s, and keeps what was typed for another try', async (_, answer, words) => {
    server.use(...lists([]), http.post('/api/keys/', () => answer))
    await open()
    const dialog = await fill()
    await submit(dialog)
    expect(await within(dialog).findByText(words)).toBeTruthy()
    expect(within(dialog).getByLabelText<HTMLInputElement>('Secret key').value).toBe(secret)
  })

  it('stores a key that can withdraw only when that is accepted in words', async () => {
    const bodies: { accept_withdrawals?: string }[] = []
    server.use(...lists([]), http.post('/api/keys/', async ({ request }) => {
      bodies.push(await request.json() as object)
      return bodies.length === 1 ? problem(422, 'key_can_withdraw', 'This key can withdraw') : HttpResponse.json(key(), { status: 201 })
    }))
    await open()
    const dialog = await fill()
    await submit(dialog)
    const field = await within(dialog).findByLabelText(/To store it all the same, type/)
    const store = within(dialog).getByRole<HTMLButtonElement>('button', { name: 'Store it all the same' })
    expect([document.activeElement === field, store.disabled]).toEqual([true, true])
    // Another key has to be judged anew.
    await userEvent.type(field, withdrawalWords)
    await userEvent.type(within(dialog).getByLabelText('API key'), '1')
    expect(within(dialog).queryByLabelText(/To store it all the same/)).toBeNull()
    bodies.pop()
    await submit(dialog)
    await userEvent.type(await within(dialog).findByLabelText(/To store it all the same/), withdrawalWords)
    await submit(dialog, 'Store it all the same')
    await expect.poll(() => bodies.map((body) => body.accept_withdrawals)).toEqual([undefined, withdrawalWords])
  })

  it('rotates, tests, renames and deletes', async () => {
    const done: string[] = []
    server.use(
      ...lists([key()]),
      http.post('/api/keys/one/rotate', () => { done.push('rotate'); return HttpResponse.json(key({ hint: 'NEWK...0001', key_version: 2 })) }),
      http.post('/api/keys/one/test', () => { done.push('test'); return HttpResponse.json(key({ health: health({ state: 'refused', detail: 'It refused.' }) })) }),
      http.patch('/api/keys/one', () => { done.push('label'); return HttpResponse.json(key({ label: 'Bots' })) }),
      http.delete('/api/keys/one', () => { done.push('delete'); return new HttpResponse(null, { status: 204 }) }),
    )
    await open()
    const choose = async (name: string, of = 'Research') => {
      await userEvent.click(await screen.findByRole('button', { name: `More for ${of}` }))
      await userEvent.click(await screen.findByRole('menuitem', { name }))
    }
    await choose('Rotate')
    const dialog = await screen.findByRole('dialog', { name: 'Rotate Research' })
    await userEvent.type(within(dialog).getByLabelText('API key'), 'NEWK-made-up-0001')
    await userEvent.type(within(dialog).getByLabelText('Secret key'), secret)
    await submit(dialog, 'Rotate key')
    expect(await screen.findByText('version 2')).toBeTruthy()
    await userEvent.click(await screen.findByRole('button', { name: 'Test Research' }))
    expect(await screen.findByText('It refused.')).toBeTruthy()
    await choose('Rename')
    const naming = await screen.findByRole('dialog', { name: 'Rename key' })
    await userEvent.clear(within(naming).getByLabelText('Name'))
    await userEvent.type(within(naming).getByLabelText('Name'), 'Bots')
    await submit(naming, 'Rename')
    await choose('Delete', 'Bots')
    const asking = await screen.findByRole('alertdialog')
    expect(asking.textContent).toContain('At Binance the key goes on to work')
    await submit(asking, 'Delete key')
    expect(await screen.findByText('No API keys')).toBeTruthy()
    expect(done).toEqual(['rotate', 'test', 'label', 'delete'])
  })

  it('reads the audit log page by page, and all of it for an export', async () => {
    const asked: (string | null)[] = []
    server.use(...lists([key()]))
    server.use(http.get('/api/keys/audit', ({ request }) => {
      const cursor = new URL(request.url).searchParams.get('cursor')
      asked.push(cursor)
      return HttpResponse.json({
        items: [line({ id: `line ${cursor ?? 'first'}`, outcome: cursor === null ? 'done' : 'refused' })],
        next_cursor: cursor === null ? 'next' : null,
      })
    }))
    await open()
    expect(await screen.findByText('The newest 1 are loaded. Searching, sorting and exporting take all.')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Load more' }))
    await expect.poll(() => asked).toEqual([null, 'next'])
    expect(await screen.findByText('2 audit lines')).toBeTruthy()
  })
})

describe('words and commands', () => {
  it('tells clocks and head-room as they are', () => {
    expect(clockWords({ provider: 'crypto:okx', health: health({ clock_skew_seconds: 1.04 }) })).toBe('server clock 1.0 s behind OKX\'s: orders may be refused')
    expect(clockWords({ provider: 'crypto:okx', health: health({ clock_skew_seconds: 0 }) })).toBe('clocks agree within 0.01 s')
    expect(clockWords({ provider: 'crypto:okx', health: health({ clock_skew_seconds: null }) })).toBeUndefined()
    expect(roomWords(health({ requests_left: null }))).toBeUndefined()
    expect([isShortOfRoom(health({ requests_left: 1199 })), isShortOfRoom(health({ requests_left: 1200 }))]).toEqual([true, false])
    expect([providerName({ provider: 'crypto:okx' }), providerName({ provider: 'crypto:gone' })]).toEqual(['OKX', 'crypto:gone'])
  })

  it('copies commands that read the parts of a key from the environment', () => {
    for (const { value, passphrase } of providers) {
      const command = addCommands(value, 'Ada\'s $(rm)').curl ?? ''
      expect(command).toContain(String.raw`"label": "Ada'\''s $(rm)"`)
      expect(command).toContain('"key": env["KEY"], "secret": env["SECRET"]')
      expect(command.includes('env["PASSPHRASE"]')).toBe(passphrase !== undefined)
    }
    expect(listCommands().curl).toContain('/api/keys/')
    expect(testCommand('one')).toMatch(/personal access tokens cannot reach keys\ncurl -X POST .*\/api\/keys\/one\/test/)
  })
})
