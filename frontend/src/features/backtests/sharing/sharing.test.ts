import userEvent from '@testing-library/user-event'
import { screen } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import type { SharedBacktest } from '@/api/shares'
import { renderPage } from '@/testing/render'
import { runConfig } from '@/testing/results'
import { problem, server, useServer } from '@/testing/server'
import ShareButton from './ShareButton.vue'
import ShareDialog from './ShareDialog.vue'
import SharedPage from './SharedPage.vue'
import { curvesOf, describe as described, factsOf, tradesOf } from './sharedWords'

useServer()

const run: SharedBacktest = {
  title: 'Slow cross', kind: 'backtest', strategy: 'sma_cross', provider: 'demo', timeframe: '1d', symbols: ['BTC/USDT'], is_partial: false,
  finished_at: '2026-11-20T09:30:00Z', expires_at: '2026-12-20T09:30:00Z', trade_rows: 1,
  currency: 'USDT', config: runConfig() as unknown as Record<string, unknown>,
  figures: { statistics: { total_return: 0.124, sharpe: 0.81, trades: 1, open_trades: 1 }, missing: { win_rate: 'There were too few trades.' }, notes: [] },
  trust: { thorough: false, band: [], checks: [
    { code: 'trades', title: 'Number of trades', verdict: 'good', sentence: '87 trades.', facts: {} },
    { code: 'gaps', title: 'Gaps in the data', verdict: 'bad', sentence: 'Half of the bars are missing.', facts: {} },
  ] },
}
const table = (columns: Record<string, unknown[]>) => ({ total: 1, first: 0, columns })

describe('SharedPage', () => {
  it('shows the run to who shows no session', async () => {
    const shown: (string | null)[] = []
    server.use(
      http.get('/api/shares/:link', ({ request }) => {
        shown.push(request.headers.get('authorization'))
        return HttpResponse.json(run)
      }),
      http.get('/api/shares/:link/equity', () => HttpResponse.json(table({ ts: [], equity: [] }))),
      http.get('/api/shares/:link/trades', () => HttpResponse.json(table({ entry_time: ['2024-01-01T00:00:00Z'], symbol: ['BTC/USDT'], pnl: [12.5] }))),
    )
    await renderPage(SharedPage, { at: '/shared/abc' })
    expect(await screen.findByRole('heading', { level: 1, name: 'Slow cross' })).toBeTruthy()
    expect(screen.getByText('sma_cross on BTC/USDT, 1d, bars of demo, 2023-01-01 to 2023-12-31')).toBeTruthy()
    expect(screen.getByText('87 trades.')).toBeTruthy()
    expect(await screen.findByText('+12.50 USDT')).toBeTruthy()
    expect(screen.getByText('10,000')).toBeTruthy()
    expect(screen.getByText('Closed trades')).toBeTruthy()
    expect(screen.getAllByText(/^(Bad|Good)$/).map(({ textContent }) => textContent.trim())).toEqual(['Bad', 'Good'])
    expect(screen.getByText('Gaps in the data')).toBeTruthy()
    expect(shown).toEqual([null])
  })

  it('says what may be wrong with a link that shows nothing', async () => {
    server.use(http.get('/api/shares/:link', () => problem(404, 'share_not_found', 'No such link')))
    await renderPage(SharedPage, { at: '/shared/abc' })
    expect(await screen.findByText('This link shows nothing')).toBeTruthy()
    expect(screen.getByText(/expired, was revoked/)).toBeTruthy()
  })
})

describe('ShareButton', () => {
  it('opens the dialog with the name of the backtest as its title', async () => {
    await renderPage(ShareButton, { props: { backtestId: 'one', name: 'My run' } })
    await userEvent.click(screen.getByRole('button', { name: 'Share' }))
    expect((await screen.findByLabelText<HTMLInputElement>('Title of the page')).value).toBe('My run')
  })
})

describe('ShareDialog', () => {
  it('sends a title of its own and an end, and shows the link', async () => {
    let sent: unknown
    server.use(http.post('/api/shares', async ({ request }) => {
      sent = await request.json()
      return HttpResponse.json({ url: 'http://tidemark.example/shared/once' }, { status: 201 })
    }))
    await renderPage(ShareDialog, { props: { open: true, backtestId: 'one', name: 'My run' } })
    await userEvent.clear(await screen.findByLabelText('Title of the page'))
    await userEvent.click(screen.getByRole('button', { name: 'Create link' }))
    expect(await screen.findByText('Say what the page is called.')).toBeTruthy()
    await userEvent.type(screen.getByLabelText('Title of the page'), 'A run')
    await userEvent.selectOptions(screen.getByLabelText('Expires after'), '7 days')
    await userEvent.click(screen.getByRole('button', { name: 'Create link' }))
    expect((await screen.findByRole('region', { name: 'Link' })).textContent).toBe('http://tidemark.example/shared/once')
    expect(sent).toEqual({ backtest_id: 'one', title: 'A run', expires_in_days: 7 })
  })

  it('tells when there are as many links as may be', async () => {
    server.use(http.post('/api/shares', () => problem(429, 'quota_reached', 'You have reached a limit', { detail: 'You have 200 live links. Revoke some.' })))
    await renderPage(ShareDialog, { props: { open: true, backtestId: 'one', name: 'My run' } })
    await userEvent.click(await screen.findByRole('button', { name: 'Create link' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Revoke some.')
  })
})

describe('its words', () => {
  it('gives a reason where there is no figure, and leaves out what nobody computed', () => {
    expect(factsOf(run)).toEqual([
      { name: 'Total return', value: '+12.40%' },
      { name: 'Sharpe', value: '0.81' },
      { name: 'Closed trades', value: '1' },
      { name: 'Still open', value: '1' },
      { name: 'Trades with a gain', value: 'There were too few trades.' },
    ])
  })

  it('numbers trades from one, and draws a curve from two points on', () => {
    expect(tradesOf({ total: 9, first: 7, columns: { entry_time: ['2024-01-01T00:00:00Z'], pnl: [null] } })[0]).toMatchObject({ at: 8, pnl: null, exit: null })
    expect(curvesOf({ total: 1, first: 0, columns: { ts: ['2024-01-01T00:00:00Z'], equity: [1] } })).toEqual([])
    const [equity, benchmark] = curvesOf({ total: 2, first: 0, columns: { ts: ['2024-01-01T00:00:00Z', '2024-01-02T00:00:00Z'], equity: [1, null], benchmark: [1, 2] } })
    expect([equity?.values[1], benchmark?.isBenchmark]).toEqual([Number.NaN, true])
  })

  it('names three symbols and counts the others', () => {
    expect(described({ ...run, symbols: ['A', 'B', 'C', 'D', 'E'] })).toBe('sma_cross on A, B, C and 2 more, 1d, bars of demo, 2023-01-01 to 2023-12-31')
  })
})
