/** The status centre as it looks to somebody: faces, words, commands, and what a refusal says. */
import userEvent from '@testing-library/user-event'
import { fireEvent, screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { TaskChanged } from '@/api/events'
import { notify } from '@/shared/composables/notify'
import { backtestRow } from '@/testing/backtests'
import { taskInBrief } from '@/testing/eventServer'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { pageOf, task, taskInFull } from '@/testing/tasks'
import { taskCommands } from '@/shared/taskCommands'
import { listCommands } from './copyCommands'
import { saying } from './eventWords'
import StatusPage from './StatusPage.vue'

useServer()

const id = '0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a'
const [fresh, trained] = ['4b7a8a55-1f2e-4b7a-8a55-1f2e3d4c5b6a', '71f1e2d3-6c1e-4b7a-8a55-1f2e3d4c5b6a']
const failure = { code: 'out_of_memory', title: 'It needed more memory', detail: 'It used 402 MiB of 384 MiB.', remedy: 'Choose a shorter range.', log_tail: 'reading' }
const resources = {
  cpu_percent: 12.5, memory_total_bytes: 8 * 2 ** 30, memory_available_bytes: 6 * 2 ** 30,
  capacity: { cores: 2, memory_bytes: 6 * 2 ** 30 }, room: { cores: 1, memory_bytes: 4 * 2 ** 30 },
  waiting: [{ kind: 'backtest', count: 3, oldest_queued_at: '2026-11-20T09:30:00Z' }], running: [{ kind: 'sweep', count: 1 }],
  history: [{ kind: 'backtest', jobs: 50, typical_seconds: 1.8, eta_error: 0.21 }, { kind: 'train', jobs: 1, typical_seconds: 90, eta_error: null }],
  quota: { plan: 'standard', queued: { limit: 1000, count: 3 }, running: { limit: 16, count: 1 } },
}

beforeEach(() => {
  // Without layout the virtual window would be empty.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/system/resources', () => HttpResponse.json(resources)),
    http.get('/api/system/health', () => HttpResponse.json({ status: 'unwell', version: '1', checks: [{ name: 'workers', ok: false, detail: '0 of 2 answer.' }] })),
    http.get('/api/system/tasks', () => HttpResponse.json(pageOf([]))),
    http.get('/api/backtests', () => HttpResponse.json({ items: [], next_cursor: null })),
    http.get('/api/models', () => HttpResponse.json({ items: [], next_cursor: null })),
  )
})

describe('the status centre', () => {
  it('says what tasks are while there are none', async () => {
    await renderPage(StatusPage, { at: '/status' })
    await screen.findByText('No tasks yet')
    expect(screen.queryByLabelText('Kind')).toBeNull()
    expect(screen.getByRole('link', { name: 'Open the dashboard' }).getAttribute('href')).toBe('/')
  })

  it('names tasks by what they make or by their bars, and the others by their ids', async () => {
    server.use(
      http.get('/api/backtests', () => HttpResponse.json({ items: [backtestRow({ id, name: 'Slow cross' })], next_cursor: null })),
      http.get('/api/models', () => HttpResponse.json({ items: [{ id: trained, name: 'BTC, 1h' }], next_cursor: null })),
      http.get('/api/system/tasks', () => HttpResponse.json(pageOf([
        task({ id: fresh, kind: 'sweep' }), task({ id }), task({ id: trained, kind: 'train' }), task({ id: trained.replace('7', '8'), kind: 'fetch' }),
        task({ id: trained.replace('7', '9'), kind: 'fetch', about: 'ETH/USDT 1h, demo' }),
      ]))),
      http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull())),
    )
    await renderPage(StatusPage, { at: `/status?task=${id}` })
    await screen.findByRole('dialog', { name: 'Backtest Slow cross' })
    const rows = await screen.findAllByRole('row', { hidden: true })
    await expect.poll(() => rows.map((row) => /(?:Sweep|Backtest|Training|Data fetch) [^Q]*?(?=Failed|Completed|Queued|Running)/.exec(row.textContent)?.[0].trim()))
      .toEqual([undefined, `Sweep ${fresh.slice(0, 8)}`, 'Backtest Slow cross', 'Training BTC, 1h', 'Data fetch 81f1e2d3', 'Data fetch ETH/USDT 1h, demo'])
  })

  it('asks the server for what the address says, and offers to clear a filter that leaves nothing', async () => {
    const asked = vi.fn<(search: string) => void>()
    server.use(http.get('/api/system/tasks', ({ request }) => {
      asked(new URL(request.url).search)
      return HttpResponse.json(pageOf([]))
    }))
    const { router } = await renderPage(StatusPage, { at: '/status?state=failed&kind=train' })
    await screen.findByText('No tasks match')
    expect(asked.mock.calls[0]).toEqual(['?state=failed&kind=train&limit=100'])
    await userEvent.click(screen.getByRole('button', { name: 'Clear filters' }))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/status')
  })

  it('says why the tasks are not there, with the id to report and a way to try again', async () => {
    server.use(http.get('/api/system/tasks', () => problem(403, 'forbidden', 'You may not see this')))
    await renderPage(StatusPage, { at: '/status' })
    const alert = await screen.findByRole('alert')
    expect(alert.textContent).toMatch(/The tasks could not be loaded.*You may not see this.*req-1/s)
  })

  it('shows the machine, the queue of all, one\'s own quota and how well times were foreseen', async () => {
    await renderPage(StatusPage, { at: '/status' })
    const cores = await screen.findByRole('meter', { name: 'Cores at work for tasks' })
    expect(cores.getAttribute('aria-valuetext')).toBe('1 of 2')
    expect(screen.getByRole('meter', { name: 'Memory' }).getAttribute('aria-valuetext')).toBe('2.0 GiB of 8.0 GiB')
    await screen.findByText(/Of your own, 1 of 16 run\s+and 3 of 1,000 wait\./)
    const rows = screen.getAllByRole('row').map((row) => within(row).queryAllByRole('cell').map((cell) => cell.textContent.trim()).join(' | '))
    expect(rows).toContain('50 | 1.8 s | 21%')
    expect(rows.some((row) => row.startsWith('1 | 1 min 30 s | —'))).toBe(true)
    await screen.findByText('0 of 2 answer.')
  })

  it('loads older tasks when asked, each once', async () => {
    server.use(http.get('/api/system/tasks', ({ request }) => {
      const isFirst = !request.url.includes('cursor=')
      return HttpResponse.json(isFirst ? pageOf([task({ id: 'b-second' })], 'next') : pageOf([task({ id: 'b-second' }), task({ id: 'a-first' })]))
    }))
    await renderPage(StatusPage, { at: '/status' })
    await screen.findByText('1+ tasks')
    await userEvent.click(screen.getByRole('button', { name: 'Load more' }))
    await screen.findByText('2 tasks')
    expect(screen.queryByRole('button', { name: 'Load more' })).toBeNull()
  })
})

describe('one task', () => {
  it('that failed gives cause, remedy, log and the command that runs it again', async () => {
    const failed = taskInFull({ id, state: 'failed', attempts: 1, failure, log_tail: 'reading' })
    server.use(
      http.get('/api/system/tasks', () => HttpResponse.json(pageOf([task(failed)]))),
      http.get(`/api/system/tasks/${id}`, () => HttpResponse.json(failed)),
    )
    const { router } = await renderPage(StatusPage, { at: `/status?task=${id}` })
    const drawer = await screen.findByRole('dialog', { name: 'Backtest 0f9d2a7b' })
    for (const text of [failure.title, failure.detail, failure.remedy]) within(drawer).getByText(text)
    expect(within(drawer).getByRole('region', { name: 'Command' }).textContent).toBe('tidemark tasks retry 0f9d2a7b')
    expect(within(drawer).getByRole('region', { name: 'Log' }).textContent).toBe('reading')
    expect(within(drawer).getByRole('region', { name: 'Payload' }).textContent).toContain('"strategy": "sma_cross"')
    await userEvent.click(within(drawer).getByRole('button', { name: 'Close' }))
    await expect.poll(() => router.currentRoute.value.query).toEqual({})
  })

  it('is run again under a key, and says so when it may not', async () => {
    const keys: (string | null)[] = []
    const refused = vi.spyOn(notify, 'error').mockImplementation(() => undefined)
    server.use(
      http.get(`/api/system/tasks/${id}`, () => HttpResponse.json(taskInFull({ id, state: 'cancelled' }))),
      http.post(`/api/system/tasks/${id}/retry`, ({ request }) => {
        keys.push(request.headers.get('idempotency-key'))
        return problem(429, 'quota_reached', 'You have reached your limit of waiting tasks', { detail: '1,000 of 1,000 wait.' })
      }),
    )
    await renderPage(StatusPage, { at: `/status?task=${id}` })
    await userEvent.click(await screen.findByRole('button', { name: 'Run again' }))
    await expect.poll(() => refused.mock.calls).toEqual([['Not queued again. You have reached your limit of waiting tasks. 1,000 of 1,000 wait.']])
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
  })

  it('that is there no more is said to be gone', async () => {
    server.use(http.get(`/api/system/tasks/${id}`, () => problem(404, 'job_not_found', 'There is no such task')))
    await renderPage(StatusPage, { at: `/status?task=${id}` })
    const drawer = await screen.findByRole('dialog', { name: 'Task 0f9d2a7b' })
    expect((await within(drawer).findByRole('alert')).textContent).toMatch(/The task could not be loaded.*There is no such task/s)
  })
})

describe('many tasks', () => {
  it('are cancelled after a question, and no more are tried after a refusal', async () => {
    const said = vi.spyOn(notify, 'error').mockImplementation(() => undefined)
    const ids = Array.from({ length: 12 }, (_, index) => `task-${index}`)
    let asked = 0
    server.use(
      http.get('/api/system/tasks', () => HttpResponse.json(pageOf(ids.map((one) => task({ id: one }))))),
      http.post('/api/system/tasks/:id/cancel', () => {
        asked += 1
        return asked > 4 ? problem(429, 'too_many_requests', 'Too many requests') : HttpResponse.json(taskInFull())
      }),
    )
    await renderPage(StatusPage, { at: '/status' })
    await fireEvent.click(await screen.findByLabelText('Select all shown rows'))
    await userEvent.click(await screen.findByRole('button', { name: 'Cancel 12 tasks' }))
    expect(asked).toBe(0)
    const question = await screen.findByRole('alertdialog', { name: 'Cancel 12 tasks?' })
    within(question).getByText('12 tasks that wait will leave the queue.')
    await userEvent.click(within(question).getByRole('button', { name: 'Cancel tasks' }))
    await expect.poll(() => said.mock.calls).toEqual([['Cancelled 4 of 12 tasks. Too many requests.']])
    expect(asked).toBeLessThan(12)
    await screen.findByText('12 tasks, 12 selected') // to be tried again
  })
})

describe('words', () => {
  const event = (state: string, change: object = {}): TaskChanged => ({ id: 1, type: 'task_running', task: taskInBrief({ state, ...change }) })

  it.each([
    [event('queued'), 'was queued'],
    [event('queued', { attempts: 1 }), 'was queued again'],
    [event('running', { attempts: 1 }), 'started'],
    [event('running', { attempts: 2 }), 'started, attempt 2 of 3'],
    [event('running', { attempts: 1, cancel_requested_at: '2026-11-20T09:31:00Z' }), 'was asked to stop'],
    [event('completed', { started_at: '2026-11-20T09:30:00Z', finished_at: '2026-11-20T09:31:15Z' }), 'completed in 1 min 15 s'],
    [event('failed', { failure }), 'failed: It needed more memory'],
    [event('cancelled', { is_partial: true }), 'was cancelled, with a partial result'],
  ])('say what happened', (happened, words) => {
    expect(saying(happened)).toBe(words)
  })

  it('commands carry no secret, and name what is meant', () => {
    expect(listCommands({ states: ['failed'], kinds: ['train'] })).toEqual({
      cli: 'tidemark tasks list --state failed --kind train',
      curl: `curl -H "Authorization: Bearer $TIDEMARK_TOKEN" '${window.location.origin}/api/system/tasks?state=failed&kind=train'`,
    })
    expect(taskCommands(id, true).curl).toBe(`curl -X POST -H "Authorization: Bearer $TIDEMARK_TOKEN" ${window.location.origin}/api/system/tasks/${id}/cancel`)
  })
})
