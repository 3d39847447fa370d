import userEvent from '@testing-library/user-event'
import { screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import type { PersonalToken } from '@/api/tokens'
import { renderPage } from '@/testing/render'
import { problem, server, useServer } from '@/testing/server'
import TokensCard from './TokensCard.vue'
import { scopes } from './tokenWords'

useServer()

function token(change: Partial<PersonalToken> = {}): PersonalToken {
  return {
    id: 'one', name: 'Nightly job', hint: 'tdm_Zk3f...9wQA', scopes: ['read', 'data'], state: 'live',
    created_at: '2026-11-20T09:30:00Z', expires_at: '2027-02-18T09:30:00Z', last_used_at: null, last_used_address: null, revoked_at: null,
    ...change,
  }
}

const lists = (...items: PersonalToken[]) => http.get('/api/me/tokens', () => HttpResponse.json({ items, next_cursor: null }))

describe('TokensCard', () => {
  it('says what a token is for while there is none, and offers one', async () => {
    server.use(lists())
    await renderPage(TokensCard)
    expect(await screen.findByText('No tokens yet')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'New token' }))
    expect(await screen.findByRole('dialog', { name: 'New access token' })).toBeTruthy()
  })

  it('lists what each may do and its state, and offers to revoke those that live', async () => {
    server.use(lists(
      token({ last_used_at: '2026-11-20T09:40:00Z', last_used_address: '192.0.2.7' }),
      token({ id: 'two', name: 'Old', state: 'expired' }),
      token({ id: 'three', name: 'Lost', state: 'revoked', revoked_at: '2026-11-20T09:40:00Z' }),
    ))
    await renderPage(TokensCard)
    const rows = await screen.findAllByRole('listitem')
    expect(rows.map((row) => within(row).queryByRole('button')?.getAttribute('aria-label') ?? null)).toEqual(['Revoke Nightly job', null, null])
    expect(rows[0]?.textContent).toMatch(/may read, data.*from 192\.0\.2\.7/)
    expect(rows[1]?.textContent).toMatch(/Expired.*never used/)
    expect(rows[2]?.textContent).toContain('Revoked')
  })

  it('sends what was chosen, shows the token once, and forgets it when the dialog closes', async () => {
    let sent: unknown
    server.use(lists(token()), http.post('/api/me/tokens', async ({ request }) => {
      sent = await request.json()
      return HttpResponse.json({ ...token({ id: 'new' }), token: 'tdm_only-once' }, { status: 201 })
    }))
    await renderPage(TokensCard)
    await userEvent.click(await screen.findByRole('button', { name: 'New token' }))
    await userEvent.type(await screen.findByLabelText('Name'), ' Job ')
    await userEvent.click(screen.getByLabelText('Run'))
    await userEvent.selectOptions(screen.getByLabelText('Expires after'), '30 days')
    await userEvent.click(screen.getByRole('button', { name: 'Create token' }))
    expect((await screen.findByRole('region', { name: 'Token' })).textContent).toBe('tdm_only-once')
    expect(sent).toEqual({ name: 'Job', scopes: ['read', 'run'], expires_in_days: 30 })
    await userEvent.click(screen.getByRole('button', { name: 'Done' }))
    expect(document.body.textContent).not.toContain('tdm_only-once')
  })

  it('asks for a name and a scope before it asks the server', async () => {
    server.use(lists(token()))
    await renderPage(TokensCard)
    await userEvent.click(await screen.findByRole('button', { name: 'New token' }))
    await userEvent.click(await screen.findByLabelText('Read'))
    await userEvent.click(screen.getByRole('button', { name: 'Create token' }))
    expect(await screen.findByText('Name it after what will use it.')).toBeTruthy()
    expect(screen.getByRole('alert').textContent).toBe('Choose at least one thing that it may do.')
  })

  it('tells in the dialog when there are as many as may be', async () => {
    server.use(lists(token()), http.post('/api/me/tokens', () => problem(429, 'quota_reached', 'You have reached a limit', {
      detail: 'You have 50 live tokens; at most 50 are allowed. Revoke some.',
    })))
    await renderPage(TokensCard)
    await userEvent.click(await screen.findByRole('button', { name: 'New token' }))
    await userEvent.type(await screen.findByLabelText('Name'), 'Job')
    await userEvent.click(screen.getByRole('button', { name: 'Create token' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Revoke some.')
  })

  it('asks before it revokes', async () => {
    let isRevoked = false
    server.use(lists(token()), http.delete('/api/me/tokens/one', () => {
      isRevoked = true
      return new HttpResponse(null, { status: 204 })
    }))
    await renderPage(TokensCard)
    await userEvent.click(await screen.findByRole('button', { name: 'Revoke Nightly job' }))
    const dialog = await screen.findByRole('alertdialog')
    expect([dialog.textContent.includes('Nightly job'), isRevoked]).toEqual([true, false])
    await userEvent.click(within(dialog).getByRole('button', { name: 'Revoke token' }))
    await expect.poll(() => isRevoked).toBe(true)
  })

  it('knows each scope by a sentence', () => {
    expect(scopes.map(({ value }) => value)).toEqual(['read', 'run', 'data', 'share'])
    expect(scopes.every(({ sentence }) => sentence.endsWith('.'))).toBe(true)
  })
})
