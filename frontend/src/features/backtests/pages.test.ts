/** The list and the progress of a run against a server that speaks HTTP: what is asked, shown, and said when it is refused. */
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { hearOfBacktests } from '@/api/backtestCache'
import { checkNow } from '@/api/connection'
import { hearProgress } from '@/api/progress'
import { backtest, backtestId, backtestRow, strategy } from '@/testing/backtests'
import { taskInBrief } from '@/testing/eventServer'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { result } from '@/testing/results'
import { taskInFull } from '@/testing/tasks'
import BacktestById from './BacktestById.vue'
import BacktestsPage from './BacktestsPage.vue'
import StatisticsCards from './result/StatisticsCards.vue'
import TrustPanel from './result/TrustPanel.vue'
import RunningBacktest from './RunningBacktest.vue'

useServer()

const page = (items: object[], next_cursor: string | null = null) => HttpResponse.json({ items, next_cursor })
const rowOf = (name: RegExp | string) => screen.findByRole('row', { name: new RegExp(name) })

beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480) // without layout the virtual window would be empty
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/strategies', () => HttpResponse.json({ items: [strategy()], broken: [] })),
    http.get('/api/backtests/tags', () => HttpResponse.json({ items: [{ tag: 'trend', count: 2 }] })),
    http.get('/api/backtests', () => page([backtestRow({ tags: ['trend'] })])),
  )
})

function onPhone() {
  const [width, media] = ['(width < 40rem)', window.matchMedia]
  vi.spyOn(window, 'matchMedia').mockImplementation((query) => Object.defineProperty(media(query), 'matches', { value: query === width }))
}

describe('the figures of a result', () => {
  const { figures } = result()
  const groupOf = (title: string) => screen.getByRole('heading', { name: title }).closest('details')

  it('are all in view on a desk, and on the tab that is theirs', async () => {
    await renderPage(defineComponent({ setup: () => () => figures && h(StatisticsCards, { figures, currency: 'USDT', folded: true }) }))
    expect(groupOf('Return')).toBeNull()
    cleanup()
    onPhone()
    await renderPage(defineComponent({ setup: () => () => figures && h(StatisticsCards, { figures, currency: 'USDT' }) }))
    expect(groupOf('Return')).toBeNull()
  })

  it('are closed groups on a phone, each opened by its name', async () => {
    onPhone()
    await renderPage(defineComponent({ setup: () => () => figures && h(StatisticsCards, { figures, currency: 'USDT', folded: true }) }))
    expect(groupOf('Return')?.open).toBe(false)
    await userEvent.click(screen.getByText('Return'))
    await waitFor(() => { expect(groupOf('Return')?.open).toBe(true) })
  })
})

describe('the trust panel', () => {
  const deflated = { code: 'deflated', title: 'Trials and luck', verdict: 'good' as const, sentence: 'It is the first trial.', facts: { trials: 1 } }
  const trust = { checks: [deflated], band: [], thorough: false }

  it('says when more was tried since luck was judged', async () => {
    await renderPage(defineComponent({ setup: () => () => h(TrustPanel, { trust, trialsNow: 2001 }) }))
    expect(screen.getByText(/there are 2,001 trials .*, and luck was judged by 1\. Examine thoroughly/)).toBeTruthy()
  })

  it.each([[1], [null], [undefined]])('says nothing of it while none came since: %s', async (trialsNow) => {
    await renderPage(defineComponent({ setup: () => () => h(TrustPanel, { trust, trialsNow }) }))
    expect(screen.queryByText('Outdated')).toBeNull()
  })
})

describe('the list', () => {
  it('shows figures, and asks the server to search, filter and sort', async () => {
    const asked: string[] = []
    server.use(http.get('/api/backtests', ({ request }) => {
      asked.push(new URL(request.url).search)
      return page([backtestRow({ tags: ['trend'] })])
    }))
    const { router } = await renderPage(BacktestsPage, { at: '/backtests' })
    expect((await rowOf('sma_cross')).textContent).toMatch(/Completed\+12\.40%0\.81−21\.30%87BTC\/USDT1h.*trend/)
    await userEvent.selectOptions(screen.getByLabelText('State'), 'Failed')
    await userEvent.click(screen.getByRole('button', { name: 'Only with a star' }))
    await userEvent.type(screen.getByLabelText('Search backtests'), 'eth')
    await userEvent.click(screen.getByRole('button', { name: /Sharpe/ }))
    await expect.poll(() => asked.at(-1)).toBe('?search=eth&state=failed&starred=true&sort=sharpe_ratio&limit=200')
    expect(router.currentRoute.value.fullPath).toBe('/backtests?q=eth&sort=-sharpe_ratio&state=failed&starred=yes')
  })

  it('shows the figures of a study as those of its best trial, without the colour of a gain', async () => {
    server.use(http.get('/api/backtests', () => page([
      backtestRow({ id: 'a', kind: 'sweep', name: 'tried out' }), backtestRow({ id: 'b', kind: 'walk_forward', name: 'walked' }),
    ])))
    await renderPage(BacktestsPage, { at: '/backtests' })
    const row = await rowOf('tried out')
    expect(row.textContent).toMatch(/tried out.*best \+12\.40%best 0\.81.*Of the best trial: −21\.30%Of the best trial: 87/)
    expect(within(row).getByRole('img', { name: 'Sweep' })).toBeTruthy()
    expect(within(row).getByText('+12.40%').className).not.toContain('text-gain')
    // Out of sample nothing was chosen by what came out.
    expect((await rowOf('walked')).textContent).toMatch(/walked.*Completed\+12\.40%0\.81−21\.30%87/)
  })

  it('has on a phone the whole name, and the return beside the state', async () => {
    onPhone()
    await renderPage(BacktestsPage, { at: '/backtests' })
    const row = await rowOf('sma_cross')
    const [, name, state] = within(row).getAllByRole('cell')
    expect(name?.querySelector('.line-clamp-2')?.textContent.trim()).toBe('sma_cross on BTC/USDT, 1h')
    expect(state?.textContent).toBe('Completed+12.40%')
  })

  it('brings the next rows when its end comes near', async () => {
    const rows = Array.from({ length: 40 }, (_, at) => backtestRow({ id: `id-${at}`, name: `run ${at}` }))
    server.use(http.get('/api/backtests', ({ request }) => {
      return request.url.includes('cursor=next') ? page([backtestRow({ id: 'last', name: 'the last' })]) : page(rows, 'next')
    }))
    await renderPage(BacktestsPage, { at: '/backtests' })
    await screen.findByText('41 backtests')
  })

  it('stars at once, and takes it back when the server refuses', async () => {
    let refuse = () => { /* not asked yet */ }
    server.use(http.patch(`/api/backtests/${backtestId}`, async () => {
      await new Promise<void>((resolve) => { refuse = resolve })
      return problem(409, 'conflict', 'Somebody else was faster')
    }))
    await renderPage(BacktestsPage, { at: '/backtests' })
    await userEvent.click(await screen.findByRole('button', { name: /^Star sma_cross/ }))
    await screen.findByRole('button', { name: /^Take the star off/ })
    await waitFor(() => { refuse(); expect(screen.queryByRole('button', { name: /^Take the star off/ })).toBeNull() })
  })

  it('compares two to twenty that are selected', async () => {
    server.use(http.get('/api/backtests', () => page([backtestRow({ id: 'a', name: 'one' }), backtestRow({ id: 'b', name: 'other' })])))
    const { router } = await renderPage(BacktestsPage, { at: '/backtests' })
    const grid = await screen.findByRole('grid', { name: 'backtests' })
    await rowOf('one')
    for (const key of ['j', 'x']) await fireEvent.keyDown(grid, { key })
    expect(screen.getByRole('button', { name: 'Compare' })).toHaveProperty('disabled', true)
    for (const key of ['j', 'x', 'c']) await fireEvent.keyDown(grid, { key })
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/backtests/compare?ids=a,b')
  })

  it('copies what is done with the selected, a line for each', async () => {
    const user = userEvent.setup()
    server.use(http.get('/api/backtests', () => page([backtestRow({ id: 'a', name: 'one' }), backtestRow({ id: 'b', name: 'other' })])))
    await renderPage(BacktestsPage, { at: '/backtests' })
    const grid = await screen.findByRole('grid', { name: 'backtests' })
    await rowOf('one')
    for (const key of ['j', 'x', 'j', 'x']) await fireEvent.keyDown(grid, { key })
    await user.click(screen.getByRole('button', { name: /Copy as: What is done with the selected/ }))
    expect(screen.getAllByRole('menuitem').map(({ textContent }) => /“(.+)”/.exec(textContent)?.[1])).toEqual(['Compare', 'Star', 'Archive', 'Delete'])
    await user.click(screen.getByRole('menuitem', { name: /Copy “Delete” as curl/ }))
    const lines = (await navigator.clipboard.readText()).split('\n')
    expect(lines.map((line) => /-X DELETE .*\/api\/backtests\/(.)$/.exec(line)?.[1])).toEqual(['a', 'b'])
  })

  it('follows the events of its tasks, and asks for the figures once one is done', async () => {
    const running = backtestRow({ state: 'running', summary: { total_return: null, sharpe_ratio: null, max_drawdown: null, trades: null } })
    server.use(
      http.get('/api/backtests', () => page([running])),
      http.get(`/api/backtests/${backtestId}`, () => HttpResponse.json(backtest())),
    )
    await renderPage(BacktestsPage, { at: '/backtests' })
    await rowOf('sma_cross')
    hearProgress({ id: backtestId, attempt: 1, stage: 'trading', percent: 42.7, message: null, eta_seconds: 9, curve: [[0, 100], [10, 120]] })
    const row = await rowOf('42%')
    expect(within(row).getByRole('img', { name: 'Equity +20.00%' })).toBeTruthy()
    const done = taskInBrief({ id: backtestId, state: 'completed', kind: 'backtest' })
    expect(hearOfBacktests([{ id: 1, type: 'task_completed', task: done }])).toEqual([])
    await rowOf(String.raw`Completed.*\+12\.40%`)
    expect(hearOfBacktests([{ id: 2, type: 'task_queued', task: taskInBrief({ id: 'new' }) }])).toEqual(['new'])
  })

  it('says what backtests are while there are none, and that nothing matches when filters hide all', async () => {
    server.use(http.get('/api/backtests', () => page([])))
    const { router } = await renderPage(BacktestsPage, { at: '/backtests' })
    await screen.findByText('No backtests yet')
    await router.push('/backtests?state=failed')
    await userEvent.click(await screen.findByRole('button', { name: 'Clear filters' }))
    await screen.findByRole('button', { name: 'Run sample backtest' })
    expect(router.currentRoute.value.fullPath).toBe('/backtests')
  })
})

describe('a backtest that is not there', () => {
  it.each([['00000000-0000-4000-8000-000000000000', 'No backtest has this id'], ['garbage', 'Nothing lives at /api/backtests/garbage.']])('at %s leads back to the list', async (id, said) => {
    server.use(http.get('/api/backtests/:id', () => problem(404, 'not_found', said)))
    await renderPage(BacktestById, { props: { id } })
    await screen.findByRole('heading', { level: 1, name: 'No such backtest' })
    expect(screen.getByRole('link', { name: 'Show backtests' }).getAttribute('href')).toBe('/backtests')
    expect(screen.queryByText(said)).toBeNull()
  })
})

describe('a run', () => {
  const running = backtest({ state: 'running', figures: null })
  const show = () => renderPage(RunningBacktest, { props: { backtest: running } })

  it('shows stage, percent, time left, its own date, the log and growing equity', async () => {
    server.use(http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({
      id: backtestId, state: 'running', attempts: 1, started_at: new Date().toISOString(), log_tail: 'first line',
    }))))
    await show()
    await screen.findByText('It has just started')
    hearProgress({
      id: backtestId, attempt: 1, stage: 'trading', percent: 55.9, message: '4,380 of 8,760 bars', eta_seconds: 12.4,
      current_date: '2023-04-01T00:00:00Z', curve: [[1672531200, 5000], [1680307200, 5600]], log_tail: 'second line',
    })
    const bar = await screen.findByRole('progressbar', { name: 'Trading' })
    expect(bar.getAttribute('aria-valuetext')).toBe('4,380 of 8,760 bars, 55 %, 12 s left')
    expect(screen.getByText('It trades 2023-04-01')).toBeTruthy()
    expect(screen.getByRole('img', { name: /\+12\.00% so far/ })).toBeTruthy()
    expect(screen.getByRole('region', { name: 'Log' }).textContent).toBe('second line')
    // What is not told again stays.
    hearProgress({ id: backtestId, attempt: 1, stage: 'checks', percent: 85, message: null, eta_seconds: null })
    await screen.findByText('Checking the result')
    expect(screen.getByRole('img', { name: /\+12\.00% so far/ })).toBeTruthy()
  })

  it('of a study names what it tries, and waits for no equity', async () => {
    server.use(http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: backtestId, kind: 'sweep', state: 'running', attempts: 1 }))))
    await renderPage(RunningBacktest, { props: { backtest: backtest({ kind: 'sweep', state: 'running', figures: null }) } })
    await screen.findByText('It has just started')
    hearProgress({ id: backtestId, attempt: 1, stage: 'trials', percent: 40, message: '4 of 10 trials', eta_seconds: 3 })
    await screen.findByRole('progressbar', { name: 'Trying parameters' })
    expect(screen.queryByText('Equity so far')).toBeNull()
  })

  it('counts no further and promises nothing while the server does not answer', async () => {
    server.use(http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({
      id: backtestId, state: 'running', attempts: 1, started_at: new Date(Date.now() - 15_500).toISOString(),
    }))))
    await show()
    hearProgress({ id: backtestId, attempt: 1, stage: 'trading', percent: 60, message: null, eta_seconds: 8 })
    await screen.findByText('8 s left')
    expect(screen.getByText(/You can leave this page: the run goes on/)).toBeTruthy()
    server.use(http.get('/healthz', () => HttpResponse.error()))
    await checkNow()
    await screen.findByText(/^When last heard of it had run for/)
    expect(screen.queryByText('8 s left')).toBeNull()
    expect(screen.queryByText(/the run goes on/)).toBeNull()
    server.use(http.get('/healthz', () => HttpResponse.json({})))
    await checkNow()
    await screen.findByText(/the run goes on/)
  })

  it('says at once that it stops', async () => {
    let asked = 0
    server.use(
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({
        id: backtestId, state: 'running', attempts: 1, cancel_requested_at: asked > 0 ? '2026-11-20T09:31:00Z' : null,
      }))),
      http.post('/api/system/tasks/:id/cancel', () => { asked += 1; return HttpResponse.json(taskInFull(), { status: 202 }) }),
    )
    await show()
    const button = await screen.findByRole('button', { name: 'Cancel' })
    await waitFor(() => { expect(button).toHaveProperty('disabled', false) })
    await userEvent.click(button)
    await screen.findByRole('button', { name: 'Stopping' })
    await expect.poll(() => asked).toBe(1)
  })

  it('that failed says why, what helps, and how to run it again', async () => {
    const failure = { code: 'out_of_memory', title: 'It needed more memory', detail: 'It had 512 MiB.', remedy: 'Choose a shorter range.', log_tail: 'Killed' }
    let retried = 0
    server.use(
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: backtestId, state: 'failed', attempts: 3, failure }))),
      http.post('/api/system/tasks/:id/retry', () => { retried += 1; return HttpResponse.json(taskInFull(), { status: 202 }) }),
    )
    await show()
    await screen.findByText('It had 512 MiB.')
    expect(screen.getByText('Choose a shorter range.')).toBeTruthy()
    expect(screen.getByText('tidemark tasks retry 3f6a1d52')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Run again' }))
    await expect.poll(() => retried).toBe(1)
  })
})
