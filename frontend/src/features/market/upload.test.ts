/** A file on its way to a series, against a server that speaks HTTP. */
import { screen, waitFor } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { delay, http, HttpResponse } from 'msw'
import { describe, expect, it, vi } from 'vitest'
import { preview, seriesId } from '@/testing/market'
import { renderPage } from '@/testing/render'
import { problem, server, useServer } from '@/testing/server'
import { taskInFull } from '@/testing/tasks'
import UploadPage from './UploadPage.vue'

useServer()

const taskId = '7c1e4b7a-8a55-4f2e-9d4c-5b6a0f9d2a7b'
const started = () => HttpResponse.json({ task_id: taskId, series_id: seriesId, kind: 'import', state: 'queued' }, { status: 202 })
const about = { series_id: seriesId, series: { provider: 'import', symbol: 'MY-FUND', timeframe: '1d' } }

describe('an upload', () => {
  const file = new File(['Date,Open\n'], 'my fund.csv', { type: 'text/csv' })
  const choose = async (chosen = file) => { await userEvent.upload(screen.getByLabelText('Choose a file'), chosen) }
  const kept = () => HttpResponse.json({ upload_id: 'u', name: 'my fund.csv', size_bytes: 10 }, { status: 201 })

  it('is read as it is corrected, and imported without bad rows only when that was chosen', async () => {
    const looks: unknown[] = []
    const imports: unknown[] = []
    server.use(
      http.post('/api/data/uploads', kept),
      http.post('/api/data/import/preview', async ({ request }) => {
        looks.push(await request.json())
        return HttpResponse.json(preview({ bad_count: 1, bad: [{ row: 3, line: 5, reason: 'its high is below its open or close', ts: null }] }))
      }),
      http.post('/api/data/import', async ({ request }) => {
        imports.push(await request.json())
        return started()
      }),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: taskId, kind: 'import', state: 'completed', payload: about, result: { rows: 9, bad_rows: 1 } }))),
    )
    await renderPage(UploadPage, { at: '/data/upload' })
    await choose()
    await screen.findByText('its high is below its open or close')
    screen.getByText('line 5')
    const begin = screen.getByRole('button', { name: 'Import' })
    expect(begin).toHaveProperty('disabled', true)
    await userEvent.click(screen.getByLabelText(/^Import nothing/))
    expect(begin).toHaveProperty('disabled', true)
    await userEvent.selectOptions(screen.getByLabelText('Volume'), 'Close')
    await expect.poll(() => looks.length).toBe(2)
    expect(looks[1]).toMatchObject({ timeframe: '1d', reading: { columns: { volume: 'Close' } } })
    await userEvent.click(screen.getByLabelText(/^Leave bad rows out/))
    await waitFor(() => { expect(begin).toHaveProperty('disabled', false) })
    await userEvent.click(begin)
    await screen.findByText('Imported 9 bars, left out 1 bad row.')
    expect(imports[0]).toMatchObject({ symbol: 'MY-FUND', timeframe: '1d', accept_bad_rows: true })
  })

  it('may have bad rows behind those that were looked at', async () => {
    const imports: unknown[] = []
    server.use(
      http.post('/api/data/uploads', kept),
      http.post('/api/data/import/preview', () => HttpResponse.json(preview({ rows: 20_000, is_whole: false }))),
      http.post('/api/data/import', async ({ request }) => {
        imports.push(await request.json())
        return started()
      }),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({ id: taskId, kind: 'import', state: 'completed', payload: about, result: { rows: 9, bad_rows: 1 } }))),
    )
    await renderPage(UploadPage, { at: '/data/upload' })
    await choose()
    await userEvent.click(await screen.findByLabelText('Leave out bad rows further on'))
    await userEvent.click(screen.getByRole('button', { name: 'Import' }))
    await screen.findByText('Imported 9 bars, left out 1 bad row.')
    expect(imports[0]).toMatchObject({ accept_bad_rows: true })
  })

  it('is cancelled on its way', async () => {
    const aborted = vi.spyOn(XMLHttpRequest.prototype, 'abort')
    server.use(http.post('/api/data/uploads', async () => {
      await delay('infinite')
      return kept()
    }))
    await renderPage(UploadPage, { at: '/data/upload' })
    await choose()
    await screen.findByRole('progressbar', { name: 'my fund.csv' })
    expect(aborted).not.toHaveBeenCalled()
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    await screen.findByText('Drop a file here, or')
    expect(aborted).toHaveBeenCalledOnce()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('that is too large or empty is not sent', async () => {
    await renderPage(UploadPage, { at: '/data/upload' })
    const large = new File(['x'], 'large.csv')
    Object.defineProperty(large, 'size', { value: 2 ** 28 + 1 })
    await choose(large)
    expect((await screen.findByRole('alert')).textContent).toMatch(/at most 256\.0 MiB are taken\. Split it/)
    await choose(new File([], 'empty.csv'))
    await screen.findByText('The file is empty. Choose another.')
  })

  it('that cannot be read is refused with the reason and the id to report', async () => {
    server.use(
      http.post('/api/data/uploads', kept),
      http.post('/api/data/import/preview', () => problem(422, 'bad_file', 'The file cannot be read as bars', { detail: 'No table with at least 5 columns was found.' })),
    )
    await renderPage(UploadPage, { at: '/data/upload' })
    await choose()
    expect((await screen.findByRole('alert')).textContent).toMatch(/No table with at least 5 columns was found\..*req-1/s)
    screen.getByText('Drop a file here, or')
  })

  it('whose columns say nothing waits for a person', async () => {
    server.use(
      http.post('/api/data/uploads', kept),
      http.post('/api/data/import/preview', () => HttpResponse.json(preview({
        reading: { ...preview().reading, columns: { open: 'Open', high: 'High', low: 'Low' }, time: '' }, timeframe: null, bars: [],
      }))),
    )
    await renderPage(UploadPage, { at: '/data/upload' })
    await choose()
    await screen.findByText('Say which column holds: Time, Close.')
    expect(screen.getByRole('button', { name: 'Import' })).toHaveProperty('disabled', true)
  })
})
