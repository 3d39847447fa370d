/** The pages about strategies against a server that speaks HTTP. */
import { fireEvent, screen, waitFor, within } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { backtestId, backtestRow } from '@/testing/backtests'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { brief, examined, grammar, own, ownId, previewOf, rules, strategy } from '@/testing/strategies'
import BuilderPage from './BuilderPage.vue'
import GalleryPage from './GalleryPage.vue'
import StrategyPage from './StrategyPage.vue'

useServer()
vi.mock('@/shared/charts/PriceChart.vue', () => ({
  __esModule: true, __isTeleport: false, __isKeepAlive: false, default: { props: ['label'], template: '<p>chart of {{ label }}</p>' },
}))

const mine = brief({ name: ownId, title: 'Mine', kind: 'own', description: 'My idea.', markets: '', version: 2, updated_at: '2026-11-20T09:30:00Z' })

beforeEach(() => {
  sessionStorage.clear()
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480)
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/data/series', () => HttpResponse.json({ items: [], next_cursor: null })),
    http.get('/api/backtests', () => HttpResponse.json({ items: [], next_cursor: null })),
    http.get('/api/strategies', () => HttpResponse.json({ items: [brief(), mine], broken: [] })),
    http.get('/api/strategies/rules/grammar', () => HttpResponse.json(grammar())),
    http.get('/api/strategies/sma_cross', () => HttpResponse.json(strategy())),
    http.get(`/api/strategies/${ownId}`, () => HttpResponse.json(own(), { headers: { ETag: '"4.0123456789abcdef"' } })),
    http.post('/api/strategies/validate', () => HttpResponse.json(examined())),
  )
})

describe('the gallery', () => {
  it('is searched and filtered in the address', async () => {
    const { router } = await renderPage(GalleryPage, { at: '/strategies' })
    await screen.findByRole('link', { name: 'SMA cross' })
    screen.getByText('Long when the fast average crosses above.')
    await userEvent.type(screen.getByLabelText('Search strategies'), 'trending sma')
    await waitFor(() => { expect(screen.queryByRole('link', { name: 'Mine' })).toBeNull() })
    expect(router.currentRoute.value.query.q).toBe('trending sma')
    await userEvent.type(screen.getByLabelText('Search strategies'), ' nothing')
    await userEvent.click(await screen.findByRole('button', { name: 'Clear filters' }))
    await userEvent.click(await screen.findByLabelText('Yours'))
    await waitFor(() => { expect(screen.queryByRole('link', { name: 'SMA cross' })).toBeNull() })
    expect(router.currentRoute.value.fullPath).toBe('/strategies?show=own')
  })

  it('shows how the newest finished run of a strategy went', async () => {
    const asked: string[] = []
    server.use(
      http.get('/api/backtests', ({ request }) => {
        asked.push(new URL(request.url).search)
        const older = backtestRow({ id: ownId, summary: { total_return: -0.5, sharpe_ratio: -1, max_drawdown: -0.6, trades: 3 } })
        return HttpResponse.json({ items: [backtestRow(), older], next_cursor: null })
      }),
      http.get(`/api/backtests/${backtestId}/equity`, () => HttpResponse.json({
        total: 2, first: 0, rows: 2, columns: { ts: ['2023-01-01T00:00:00Z', '2023-06-01T00:00:00Z'], equity: [100, 112.4] },
      })),
    )
    await renderPage(GalleryPage, { at: '/strategies' })
    const card = (await screen.findByRole('link', { name: 'SMA cross' })).closest('article')
    expect(await within(card as HTMLElement).findByRole('img', { name: 'Equity +12.40%' })).toBeTruthy()
    expect(card?.textContent).toContain('+12.40%')
    expect(card?.textContent).not.toContain('50.00%')
    expect(asked).toEqual(['?kind=backtest&state=completed&limit=200'])
  })

  it('names the plugins that could not be loaded', async () => {
    server.use(http.get('/api/strategies', () => HttpResponse.json({ items: [brief()], broken: [{ name: 'wrong', reason: 'SyntaxError' }] })))
    await renderPage(GalleryPage, { at: '/strategies' })
    const card = await screen.findByRole('region', { name: 'Plugins that could not be loaded' })
    expect(card.textContent).toMatch(/wrong\s*: SyntaxError/)
  })

  it('restores what was deleted', async () => {
    let restored = 0
    server.use(
      http.get('/api/strategies', ({ request }) => {
        const isDeleted = request.url.includes('deleted=true') && restored === 0
        return HttpResponse.json({ items: isDeleted ? [{ ...mine, deleted_at: '2026-11-21T00:00:00Z' }] : [], broken: [] })
      }),
      http.post(`/api/strategies/${ownId}/restore`, () => {
        restored += 1
        return HttpResponse.json(own())
      }),
    )
    await renderPage(GalleryPage, { at: '/strategies?show=deleted' })
    await userEvent.click(await screen.findByRole('button', { name: 'Restore Mine' }))
    await screen.findByText('Nothing was deleted')
    expect(restored).toBe(1)
  })

  it('says why it is not there', async () => {
    server.use(http.get('/api/strategies', () => problem(403, 'not_allowed', 'You may not see this')))
    await renderPage(GalleryPage, { at: '/strategies' })
    expect((await screen.findByRole('alert')).textContent).toMatch(/The strategies could not be loaded.*You may not see this.*req-1/s)
  })
})

describe('one strategy', () => {
  it('shows its parameters and leads to a backtest', async () => {
    await renderPage(StrategyPage, { at: '/strategies/sma_cross', props: { name: 'sma_cross' } })
    const row = await screen.findByRole('row', { name: /Fast/ })
    expect(row.textContent).toMatch(/Bars of the fast average\s*20 bars\s*2 to 1,000 bars/)
    expect(screen.getByRole('link', { name: 'New backtest' }).getAttribute('href')).toBe('/backtests/new?strategy=sma_cross')
    screen.getByText('SMA (20)')
    expect(screen.queryByText('Versions')).toBeNull()
  })

  it('computes its signals when it is asked, and says when they are old or refused', async () => {
    const asked: Record<string, unknown>[] = []
    server.use(http.post('/api/strategies/preview', async ({ request }) => {
      asked.push(await request.json() as Record<string, unknown>)
      return asked.length === 1 ? problem(422, 'not_enough_history', 'There is too little history') : HttpResponse.json(previewOf())
    }))
    await renderPage(StrategyPage, { at: '/strategies/sma_cross', props: { name: 'sma_cross' } })
    const show = await screen.findByRole('button', { name: 'Show signals' })
    expect(asked).toHaveLength(0)
    await userEvent.click(show)
    await userEvent.click(within(await screen.findByRole('alert')).getByRole('button', { name: 'Retry' }))
    await screen.findByText('chart of BTC/USDT, 1h')
    screen.getByText('1 long, 0 short, 1 to leave')
    screen.getByText(/Only 12 of 49 warm-up bars/)
    await screen.findByRole('row', { name: /▲ Long/ })
    expect(asked[1]).toEqual({ strategy: 'sma_cross', parameters: {}, series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }, bars: 500 })
    await userEvent.click(screen.getByLabelText('200'))
    await screen.findByText('Rules or bars have changed since')
    expect(asked).toHaveLength(2)
  })

  it('of one\'s own has versions, what differs, and the way back', async () => {
    const saved: unknown[] = []
    const older = { ...rules, stop_percent: 3 }
    server.use(
      http.get(`/api/strategies/${ownId}/versions`, () => HttpResponse.json({ next_cursor: null, items: [2, 1].map((version) => ({ version, note: version === 2 ? 'second' : '', created_at: '2026-11-20T09:30:00Z' })) })),
      http.get(`/api/strategies/${ownId}/versions/:version`, ({ params }) => {
        const isOld = params.version === '1'
        const words = ['Enter long: the close price > SMA (50)', `Stop: ${isOld ? 3 : 5} % from the fill`]
        return HttpResponse.json({ version: Number(params.version), note: '', created_at: '2026-11-20T09:30:00Z', rules: isOld ? older : rules, words })
      }),
      http.put(`/api/strategies/${ownId}`, async ({ request }) => {
        saved.push([request.headers.get('if-match'), await request.json()])
        return HttpResponse.json(own({ version: 3 }), { headers: { ETag: '"5.0123456789abcdef"' } })
      }),
    )
    await renderPage(StrategyPage, { at: `/strategies/${ownId}`, props: { name: ownId } })
    const diff = await screen.findByRole('region', { name: 'What differs' })
    expect(diff.textContent).toMatch(/− \s*removed: Stop: 3 % from the fill.*\+ \s*added: Stop: 5 % from the fill/s)
    await userEvent.click(screen.getByRole('button', { name: 'Restore version 1' }))
    await expect.poll(() => saved).toEqual([['"4.0123456789abcdef"', { name: 'Mine', about: 'My idea.', rules: older, note: 'As in version 1' }]])
    await screen.findByText('Version 3')
  })

  it('of one\'s own is deleted after a question', async () => {
    let deleted = 0
    server.use(
      http.get(`/api/strategies/${ownId}/versions`, () => HttpResponse.json({ items: [], next_cursor: null })),
      http.delete(`/api/strategies/${ownId}`, () => {
        deleted += 1
        return new HttpResponse(null, { status: 204 })
      }),
    )
    const { router } = await renderPage(StrategyPage, { at: `/strategies/${ownId}`, props: { name: ownId } })
    await userEvent.click(await screen.findByRole('button', { name: 'Delete' }))
    await userEvent.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'Delete strategy' }))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/strategies')
    expect(deleted).toBe(1)
  })
})

describe('the rule builder', () => {
  const checked: { rules: Record<string, unknown> }[] = []
  const render = () => renderPage(BuilderPage, { at: '/strategies/new', props: { name: undefined } })
  const lastChecked = () => checked.at(-1)?.rules

  beforeEach(() => {
    checked.length = 0
    server.use(http.post('/api/strategies/validate', async ({ request }) => {
      const body = await request.json() as { rules: Record<string, unknown> }
      checked.push(body)
      const isBad = JSON.stringify(body).includes('"period":3}')
      const errors = [{ pointer: '/long/enter/right/parameters/period', detail: 'period is not liked.' }]
      return HttpResponse.json(isBad ? examined({ is_valid: false, errors, rules: null, words: [] }) : examined())
    }))
  })

  it('checks every change, and says what is wrong at the field', async () => {
    await render()
    await screen.findByText('Good')
    const period = screen.getByLabelText('Period')
    await fireEvent.update(period, '3')
    await screen.findByText('One thing to correct')
    expect(period.getAttribute('aria-invalid')).toBe('true')
    expect(screen.getByRole('button', { name: 'Save strategy' })).toHaveProperty('disabled', true)
    screen.getByText('Correct the rules first.')
    await userEvent.click(screen.getByRole('button', { name: 'Enter long, second value: period' }))
    await waitFor(() => { expect(document.activeElement?.getAttribute('aria-label')).toBe('Enter long') })
    await fireEvent.update(period, '30')
    await screen.findByText('Good')
  })

  it('adds, moves and removes conditions by the keyboard', async () => {
    await render()
    await userEvent.click(await screen.findByRole('button', { name: 'Add a condition to Enter long' }))
    const second = await screen.findByRole('group', { name: 'Condition 2 of 2' })
    await waitFor(() => { expect(document.activeElement).toBe(second) })
    await userEvent.selectOptions(within(second).getByLabelText('Condition 2 of 2'), 'weekday')
    screen.getByRole('group', { name: 'Condition 2 of 2' }).focus()
    await userEvent.keyboard('{Alt>}{ArrowUp}{/Alt}')
    await waitFor(() => { expect(document.activeElement?.getAttribute('aria-label')).toBe('Condition 1 of 2') })
    await expect.poll(() => (lastChecked() as { long: { enter: { of: { op: string }[] } } }).long.enter.of?.map(({ op }) => op)).toEqual(['weekday', '>'])
    await userEvent.keyboard('{Delete}')
    await waitFor(() => { expect(screen.queryByRole('group', { name: /^Condition/ })).toBeNull() })
    expect(screen.getByLabelText('Comparison')).toHaveProperty('value', '>')
    await waitFor(() => { expect(document.activeElement?.getAttribute('aria-label')).toBe('Enter long') })
  })

  it('is text as well, and starts from examples', async () => {
    await render()
    await userEvent.selectOptions(await screen.findByLabelText('Start from an example'), 'Cross')
    expect(screen.getByLabelText('Name')).toHaveProperty('value', 'Cross')
    await expect.poll(lastChecked).toEqual(grammar().examples[0]?.rules)
    await userEvent.click(screen.getByLabelText('JSON'))
    const text = screen.getByLabelText('Rules as JSON')
    await fireEvent.update(text, '{"long": ')
    await screen.findAllByText(/This is no JSON object/)
    await fireEvent.update(text, JSON.stringify(rules))
    await expect.poll(lastChecked).toEqual(rules)
    await userEvent.click(screen.getByLabelText('Parts'))
    expect(screen.getByLabelText('Stop (optional)')).toHaveProperty('value', '5')
  })

  it('saves, tells what was refused at its field, and keeps a draft until then', async () => {
    let tries = 0
    server.use(http.post('/api/strategies', () => {
      tries += 1
      return tries === 1 ? problem(409, 'strategy_name_taken', 'The name is taken') : HttpResponse.json(own({ version: 1 }), { status: 201, headers: { ETag: '"2.0123456789abcdef"' } })
    }))
    const { unmount } = await render()
    await userEvent.type(await screen.findByLabelText('Name'), 'Mine')
    await screen.findByText('Good')
    unmount()
    const again = await render()
    await screen.findByText(/Your unsaved changes are still here/)
    await screen.findByText('Good')
    await userEvent.click(screen.getByRole('button', { name: 'Save strategy' }))
    await screen.findByText('The name is taken.')
    expect(screen.getByLabelText('Name').getAttribute('aria-invalid')).toBe('true')
    await userEvent.click(screen.getByRole('button', { name: 'Save strategy' }))
    await expect.poll(() => again.router.currentRoute.value.fullPath).toBe(`/strategies/${ownId}`)
    expect(sessionStorage.length).toBe(0)
  })
})
