/** The pages about data against a server that speaks HTTP: what is asked, what is shown, and what is said when it is refused. */
import { fireEvent, screen, waitFor, within } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { bars, coverage, instrument, provider, series, seriesId } from '@/testing/market'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { pageOf, task, taskInFull } from '@/testing/tasks'
import DataPage from './DataPage.vue'
import DownloadPage from './DownloadPage.vue'
import SeriesPage from './SeriesPage.vue'

useServer()

const taskId = '7c1e4b7a-8a55-4f2e-9d4c-5b6a0f9d2a7b'
const started = () => HttpResponse.json({ task_id: taskId, series_id: seriesId, kind: 'fetch', state: 'queued' }, { status: 202 })
const about = { series_id: seriesId, series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h' } }
const list = (items: object[], next_cursor: string | null = null) => HttpResponse.json({ items, next_cursor })

beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480) // without layout the virtual window would be empty
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/system/tasks', () => HttpResponse.json(pageOf([]))),
    http.get('/api/providers', () => HttpResponse.json({ items: [provider(), provider({ name: 'alpaca', title: 'Alpaca', unavailable: 'Set TIDEMARK_ALPACA_KEY_ID.' })] })),
    http.get('/api/data/instruments', () => HttpResponse.json({ items: [instrument()] })),
    http.get('/api/data/series', () => list([series()])),
    http.get('/api/data/series/:id', () => HttpResponse.json(series())),
    http.get('/api/data/coverage', () => HttpResponse.json(coverage())),
    http.get('/api/data/bars', () => HttpResponse.json(bars())),
  )
})

describe('the catalogue', () => {
  it('lists series with range, size and owner, and opens one', async () => {
    const { router } = await renderPage(DataPage, { at: '/data' })
    const row = await screen.findByRole('row', { name: /BTC\/USDT/ })
    expect(row.textContent).toMatch(/1h\s*demo\s*Simulated\s*2026-01-01\s*2026-01-02\s*48\s*2\.0 KiB\s*Shared/)
    await userEvent.click(within(row).getByText('1h'))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe(`/data/${seriesId}`)
  })

  it('looks through the series that are not loaded yet when something is searched', async () => {
    server.use(http.get('/api/data/series', ({ request }) => {
      const isFirst = !request.url.includes('cursor=')
      return isFirst ? list([series()], 'next') : list([series({ id: 'b', symbol: 'AAPL' })])
    }))
    await renderPage(DataPage, { at: '/data' })
    await screen.findByText('1+ series')
    expect(screen.queryByRole('row', { name: /AAPL/ })).toBeNull()
    await userEvent.type(screen.getByLabelText('Search series'), 'aap')
    await screen.findByRole('row', { name: /AAPL/ })
  })

  it('offers the demo market while it is empty, and starts it once a series', async () => {
    const wanted: unknown[] = []
    const keys = new Set<string | null>()
    server.use(
      http.get('/api/data/series', () => list([])),
      http.post('/api/data/fetch', async ({ request }) => {
        wanted.push(await request.json())
        keys.add(request.headers.get('idempotency-key'))
        return started()
      }),
    )
    await renderPage(DataPage, { at: '/data' })
    await userEvent.click(await screen.findByRole('button', { name: 'Download the demo market' }))
    await expect.poll(() => wanted.length).toBe(3)
    expect(keys.size).toBe(3)
    expect(wanted[0]).toMatchObject({ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h' })
  })

  it('marks what cannot be read', async () => {
    server.use(http.get('/api/data/series', () => list([series({ stored: null, problem: 'Download it again.' })])))
    await renderPage(DataPage, { at: '/data' })
    await screen.findByText('Not readable')
    screen.getByText('BTC/USDT')
  })

  it('says why it is not there, with the id to report', async () => {
    server.use(http.get('/api/data/series', () => problem(403, 'forbidden', 'You may not see this')))
    await renderPage(DataPage, { at: '/data' })
    expect((await screen.findByRole('alert')).textContent).toMatch(/The series could not be loaded.*You may not see this.*req-1/s)
  })

  it('shows a download that was cut, resumes it and hides it', async () => {
    const cut = taskInFull({
      id: taskId, kind: 'fetch', state: 'cancelled', is_partial: true, finished_at: new Date().toISOString(), payload: about, result: { bars: 10, percent: 20 },
    })
    let resumed = 0
    server.use(
      http.get('/api/system/tasks', () => HttpResponse.json(pageOf([task(cut)]))),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(cut)),
      http.post('/api/system/tasks/:id/retry', () => {
        resumed += 1
        return HttpResponse.json(cut)
      }),
    )
    await renderPage(DataPage, { at: '/data' })
    const panel = await screen.findByRole('region', { name: 'Download of BTC/USDT 1h' })
    within(panel).getByText('It stopped at 20%. What came until then, 10 bars, is kept; resuming goes on from there.')
    await userEvent.click(within(panel).getByRole('button', { name: 'Resume' }))
    await expect.poll(() => resumed).toBe(1)
    await userEvent.click(await within(panel).findByRole('button', { name: 'Hide' }))
    await waitFor(() => { expect(screen.queryByRole('region', { name: 'Download of BTC/USDT 1h' })).toBeNull() })
  })
})

describe('a download', () => {
  const estimate = { missing: [{ start: '2025-01-01T00:00:00Z', end: '2025-02-01T00:00:00Z' }], bars: 744, requests: 2, size_bytes: 8_928, seconds: 0.3 }
  const at = '/data/download?symbol=BTC/USDT&from=2025-01-01&to=2025-01-31'

  it('is estimated before it starts, then followed', async () => {
    const asked: unknown[] = []
    server.use(
      http.post('/api/data/fetch/estimate', async ({ request }) => {
        asked.push(await request.json())
        return HttpResponse.json(estimate)
      }),
      http.post('/api/data/fetch', () => started()),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: taskId, kind: 'fetch', state: 'completed', payload: about, result: { bars: 744 } }))),
    )
    await renderPage(DownloadPage, { at })
    const facts = (await screen.findByText('New bars')).closest('dl')
    expect(facts?.textContent).toMatch(/New bars\s*744\s*Requests\s*2\s*Takes about\s*1 s\s*On the disk\s*8\.7 KiB\s*From\s*2025-01-01\s*To\s*2025-01-31/)
    expect(asked).toEqual([{
      provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw', start: '2025-01-01T00:00:00Z', end: '2025-02-01T00:00:00Z',
    }])
    await userEvent.click(screen.getByRole('button', { name: 'Start download' }))
    await screen.findByText('Fetched 744 bars.')
    expect(screen.getByRole('link', { name: 'Open series' }).getAttribute('href')).toBe(`/data/${seriesId}`)
  })

  it('of an unknown symbol says so at the field, and takes what may have been meant', async () => {
    server.use(http.post('/api/data/fetch/estimate', async ({ request }) => {
      const { symbol } = await request.json() as { symbol: string }
      const detail = 'demo has no symbol \'BTCUSDT\'. Did you mean \'BTC/USDT\'?'
      return symbol === 'BTC/USDT' ? HttpResponse.json(estimate) : problem(404, 'unknown_symbol', 'There is no such symbol', { detail })
    }))
    await renderPage(DownloadPage, { at: '/data/download?symbol=BTCUSDT&from=2025-01-01' })
    await screen.findByText('demo has no symbol \'BTCUSDT\'. Did you mean \'BTC/USDT\'?')
    const field = screen.getByLabelText('Symbol')
    expect(field.getAttribute('aria-invalid')).toBe('true')
    await userEvent.click(screen.getByRole('button', { name: 'Use BTC/USDT' }))
    await screen.findByText('744')
    expect(field.getAttribute('aria-invalid')).toBeNull()
  })

  it('of what is stored already cannot be started', async () => {
    server.use(http.post('/api/data/fetch/estimate', () => HttpResponse.json({ ...estimate, missing: [], bars: 0 })))
    await renderPage(DownloadPage, { at })
    await screen.findByText('All of it is stored already. There is nothing to download.')
    expect(screen.getByRole('button', { name: 'Start download' })).toHaveProperty('disabled', true)
  })

  it('from a provider that does not answer says why, and asks again', async () => {
    let tries = 0
    server.use(http.post('/api/data/fetch/estimate', () => {
      tries += 1
      return tries === 1 ? problem(502, 'vendor_unavailable', 'The data provider does not answer') : HttpResponse.json(estimate)
    }))
    await renderPage(DownloadPage, { at })
    await screen.findByText('The data provider does not answer.')
    screen.getByText('The estimate could not be made')
    expect(screen.getByRole('button', { name: 'Start download' })).toHaveProperty('disabled', true)
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await screen.findByText('744')
  })

  it('names the providers that cannot be used here, and what they lack', async () => {
    await renderPage(DownloadPage, { at: '/data/download' })
    expect(await screen.findByRole('option', { name: 'Alpaca (not available)' })).toHaveProperty('disabled', true)
    screen.getByText(/Set TIDEMARK_ALPACA_KEY_ID\./)
    screen.getByText(/^Choose a symbol and a range/)
  })

  it('finds its symbol by the keyboard', async () => {
    await renderPage(DownloadPage, { at: '/data/download' })
    const field = await screen.findByLabelText('Symbol')
    await waitFor(() => { expect(field).toHaveProperty('disabled', false) })
    await userEvent.type(field, 'bitco')
    await screen.findByRole('option', { name: /Bitcoin/ })
    await userEvent.keyboard('{ArrowDown}{Enter}')
    expect(field).toHaveProperty('value', 'BTC/USDT')
    expect(field.getAttribute('aria-expanded')).toBe('false')
  })
})

describe('one series', () => {
  const render = () => renderPage(SeriesPage, { at: `/data/${seriesId}`, props: { id: seriesId } })

  it('shows how complete it is, and mends its gap and its outlier apart', async () => {
    const repairs: unknown[] = []
    server.use(
      http.post('/api/data/repair', async ({ request }) => {
        repairs.push(await request.json())
        return started()
      }),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: taskId, kind: 'fetch', state: 'completed', payload: { ...about, again: true }, result: { bars: 4 } }))),
    )
    await render()
    const map = await screen.findByRole('table', { name: 'Coverage of BTC/USDT 1h by day' })
    within(map).getByText('complete, 24 bars')
    within(map).getByText('4 of 24 bars missing, 83.33% there')
    screen.getByText('91.66%') // never rounded up
    await userEvent.click(screen.getByRole('button', { name: 'Repair the gap' }))
    await screen.findByText('Fetched 4 bars again.')
    await userEvent.click(screen.getByRole('button', { name: /^Fetch again\s?Outlier/ }))
    await expect.poll(() => repairs).toEqual([
      { series_id: seriesId, gaps: [] },
      { series_id: seriesId, gaps: [{ start: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z' }] },
    ])
  })

  it('with a split leads to prices that are adjusted for it, where its provider has them', async () => {
    const split = { ts: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z', kind: 'split', detail: 'A split of 4 for 1?' }
    server.use(
      http.get('/api/providers', () => HttpResponse.json({ items: [provider({ adjustments: ['raw', 'splits'] })] })),
      http.get('/api/data/coverage', () => HttpResponse.json(coverage({ suspects: [split] }))),
    )
    await render()
    const link = await screen.findByRole('link', { name: /^Download adjusted/ })
    expect(link.getAttribute('href')).toBe('/data/download?provider=demo&symbol=BTC/USDT&timeframe=1h&adjustment=splits')
    expect(screen.queryByRole('button', { name: /^Fetch again/ })).toBeNull()
  })

  it('is walked cell by cell with the arrow keys, and shows the prices of the chosen one', async () => {
    const spans: string[] = []
    server.use(http.get('/api/data/bars', ({ request }) => {
      spans.push(new URL(request.url).searchParams.get('start') ?? '')
      return HttpResponse.json(bars())
    }))
    await render()
    const group = await screen.findByRole('group', { name: /^Coverage of/ })
    await fireEvent.keyDown(group, { key: 'ArrowRight' })
    await fireEvent.keyDown(group, { key: 'ArrowRight' })
    await fireEvent.keyDown(group, { key: 'ArrowRight' }) // there is no third
    expect(screen.getByText('2026-01-02').parentElement?.textContent).toBe('2026-01-02: 4 of 24 bars missing, 83.33% there')
    await fireEvent.keyDown(group, { key: 'Enter' })
    await expect.poll(() => spans.at(-1)).toBe('2026-01-02T00:00:00.000Z')
    await userEvent.click(screen.getByRole('button', { name: 'Show latest' }))
    await screen.findByText('The latest bars')
  })

  it('that came from a file is not repaired, and is deleted after a question', async () => {
    let deleted = 0
    server.use(
      http.get('/api/data/series/:id', () => HttpResponse.json(series({ is_own: true, provider: 'import', symbol: 'MINE' }))),
      http.delete('/api/data/series/:id', () => {
        deleted += 1
        return new HttpResponse(null, { status: 204 })
      }),
    )
    const { router } = await render()
    await screen.findByText(/there is no provider to ask again/)
    expect(screen.queryByRole('button', { name: /^(Repair|Fetch again)/ })).toBeNull()
    await userEvent.click(screen.getByRole('button', { name: 'Delete' }))
    const question = await screen.findByRole('alertdialog', { name: 'Delete MINE 1h?' })
    expect(deleted).toBe(0)
    await userEvent.click(within(question).getByRole('button', { name: 'Delete series' }))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/data')
    expect(deleted).toBe(1)
  })

  it('that cannot be read says why, and what to do', async () => {
    const why = 'Its manifest was not what was written, so all of it is set aside. Download it again.'
    server.use(http.get('/api/data/series/:id', () => HttpResponse.json(series({ stored: null, problem: why }))))
    await render()
    await screen.findByText('It cannot be read')
    screen.getByText(why)
    screen.getByRole('link', { name: 'Download data' })
  })

  it('of which nothing is stored says so, and where more comes from', async () => {
    server.use(http.get('/api/data/series/:id', () => HttpResponse.json(series({ stored: null }))))
    await render()
    await screen.findByText('No bars have come so far.')
    expect(screen.getByRole('link', { name: 'Download data' }).getAttribute('href')).toBe('/data/download?provider=demo&symbol=BTC/USDT&timeframe=1h&adjustment=raw')
  })
})
