/** What events do to answers: on the screen, on their way, and in lists of which only a part is loaded. */
import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { http, HttpResponse } from 'msw'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { effectScope } from 'vue'
import { type OpenStream, sent, serveEvents, taskInBrief } from '@/testing/eventServer'
import { problem, server, useServer } from '@/testing/server'
import { pageOf, task, taskInFull } from '@/testing/tasks'
import { takeTokensFrom } from './client'
import { activity, followEvents } from './events'
import { logOf, progressOf } from './progress'
import { queryClient } from './queries'
import { useStream } from './stream'
import { listAfter, type TaskList } from './taskCache'
import { cancelTask, type Task, type TaskFilter, taskQuery, tasksQuery } from './tasks'

useServer()

const any: TaskFilter = { states: [], kinds: [] }
const leaving: (() => void)[] = []
let streams: OpenStream[]

beforeEach(() => {
  takeTokensFrom({ token: () => Promise.resolve('kept') })
  streams = serveEvents()
})
afterEach(() => {
  for (const leave of leaving.splice(0)) leave()
})

async function follow(): Promise<OpenStream> {
  const begun = streams.length
  leaving.push(followEvents(`user-${Math.random()}`))
  await expect.poll(() => streams.length).toBe(begun + 1)
  await expect.poll(() => useStream().liveness.value).toBe('live')
  return streams[begun] as OpenStream
}

/** As long as a component would ask, until the test is over. */
function asking<Query>(ask: () => Query): Query {
  const scope = effectScope()
  leaving.push(() => { scope.stop() })
  return scope.run(ask) as Query
}

function watchItems(filter = any) {
  const { data } = asking(() => useInfiniteQuery(tasksQuery(filter), queryClient))
  return () => data.value?.pages.flatMap(({ items }) => items)
}

function watchList(filter = any) {
  const items = watchItems(filter)
  return () => items()?.map(({ id, state }) => `${id} ${state}`)
}

function watchTask(id: string) {
  const { data } = asking(() => useQuery(taskQuery(id), queryClient))
  return () => data.value
}

function serveTasks(items: () => Task[]) {
  let asked = 0
  server.use(http.get('/api/system/tasks', () => {
    asked += 1
    return HttpResponse.json(pageOf(items()))
  }))
  return () => asked
}

describe('events', () => {
  it('move tasks through a list without asking again, and bring new ones to their place', async () => {
    const asked = serveTasks(() => [task({ id: 'b', created_at: '2026-11-20T09:31:00Z' }), task({ id: 'a' })])
    const stream = await follow()
    const list = watchList()
    await expect.poll(list).toEqual(['b queued', 'a queued'])
    const before = asked()
    stream.send(sent(1, 'running', { id: 'a', attempts: 1 }) + sent(2, 'queued', { id: 'c', created_at: '2026-11-20T09:32:00+00:00' }))
    await expect.poll(list).toEqual(['c queued', 'b queued', 'a running'])
    stream.send(sent(3, 'completed', { id: 'a', attempts: 1 }))
    await expect.poll(list).toEqual(['c queued', 'b queued', 'a completed'])
    expect(asked()).toBe(before)
    expect(activity.value.map(({ id }) => id)).toEqual([3, 2, 1])
  })

  it('take a task out of a list that it fits no more, and into the one that it fits now', async () => {
    server.use(http.get('/api/system/tasks', ({ request }) => (
      HttpResponse.json(pageOf(request.url.includes('state=running') ? [task({ state: 'running' })] : [])))))
    const stream = await follow()
    const running = watchList({ states: ['running'], kinds: [] })
    const failed = watchList({ states: ['failed'], kinds: ['backtest'] })
    const failedSweeps = watchList({ states: ['failed'], kinds: ['sweep'] })
    await expect.poll(running).toEqual(['task-1 running'])
    await expect.poll(failedSweeps).toEqual([])
    stream.send(sent(1, 'failed', { failure: { code: 'x', title: 'It broke', detail: 'By 3.', remedy: null } }))
    await expect.poll(running).toEqual([])
    expect(failed()).toEqual(['task-1 failed'])
    expect(failedSweeps()).toEqual([])
  })

  it('that were heard while an answer was on its way are put on top of it', async () => {
    let answer = () => { /* nobody waits */ }
    const stream = await follow()
    server.use(http.get('/api/system/tasks', async () => {
      const old = HttpResponse.json(pageOf([task()]))
      await new Promise<void>((resolve) => { answer = resolve })
      return old
    }))
    const list = watchList()
    await expect.poll(() => answer.toString()).not.toContain('nobody')
    stream.send(sent(1, 'completed') + sent(2, 'queued', { id: 'new', created_at: '2026-11-20T10:00:00Z' }))
    await expect.poll(() => activity.value.length).toBe(2)
    answer()
    await expect.poll(list).toEqual(['new queued', 'task-1 completed'])
  })

  it('make the page ask again for what it asked before the stream began', async () => {
    let state: Task['state'] = 'queued'
    const asked = serveTasks(() => [task({ state })])
    const list = watchList()
    await expect.poll(list).toEqual(['task-1 queued'])
    state = 'running' // in between: no event will tell
    await follow()
    await expect.poll(list).toEqual(['task-1 running'])
    expect(asked()).toBe(2)
  })

  it('make the page ask again when some are gone', async () => {
    let state: Task['state'] = 'queued'
    serveTasks(() => [task({ state })])
    const stream = await follow()
    const list = watchList()
    await expect.poll(list).toEqual(['task-1 queued'])
    state = 'failed'
    stream.send('event: reset\nid: 12\ndata: {"type":"reset"}\n\n')
    await expect.poll(list).toEqual(['task-1 failed'])
  })

  it('fetch the result of a task that is looked at', async () => {
    let now = taskInFull({ state: 'running', attempts: 1 })
    server.use(http.get('/api/system/tasks/task-1', () => HttpResponse.json(now)))
    const stream = await follow()
    const shown = watchTask('task-1')
    await expect.poll(() => shown()?.state).toBe('running')
    now = taskInFull({ state: 'completed', attempts: 1, result: { counted: 10 } })
    stream.send(sent(1, 'completed', { attempts: 1 }))
    await expect.poll(() => shown()?.result).toEqual({ counted: 10 })
  })

  it('fetch the result of a task whose first answer was on its way when it ended', async () => {
    let answer = () => { /* nobody waits */ }
    const stream = await follow()
    let asked = 0
    server.use(http.get('/api/system/tasks/task-1', async () => {
      asked += 1
      if (asked > 1) return HttpResponse.json(taskInFull({ state: 'completed', result: { bars: 1 } }))
      await new Promise<void>((resolve) => { answer = resolve })
      return HttpResponse.json(taskInFull({ state: 'running', result: null }))
    }))
    const watched = watchTask('task-1')
    await expect.poll(() => answer.toString()).not.toContain('nobody')
    stream.send(sent(1, 'completed'))
    await expect.poll(() => activity.value.length).toBe(1)
    answer()
    await expect.poll(() => watched()?.result).toEqual({ bars: 1 })
    expect(asked).toBe(2)
  })

  it('of progress are kept apart, by attempt', async () => {
    const stream = await follow()
    const tell = (percent: number, attempt: number, log: { log_tail?: string } = {}) => {
      const told = { id: 'task-1', attempt, stage: 'counting', percent, message: null, eta_seconds: 3, ...log }
      stream.send(`event: task_progress\ndata: ${JSON.stringify({ type: 'task_progress', task: told })}\n\n`)
    }
    const first = task({ state: 'running', attempts: 1, progress: { stage: 'begun', percent: 1, message: null, eta_seconds: null } })
    expect(progressOf(first)?.percent).toBe(1)
    tell(40, 1, { log_tail: 'line' })
    tell(41, 1) // nothing new was printed
    await expect.poll(() => progressOf(first)?.percent).toBe(41)
    expect(logOf({ ...first, log_tail: 'older' })).toBe('line')
    const second = task({ state: 'running', attempts: 2 })
    expect(progressOf(second)).toBeNull()
    stream.send(sent(1, 'queued', { attempts: 1 }) + sent(2, 'running', { attempts: 2 }))
    tell(5, 2)
    await expect.poll(() => progressOf(second)?.percent).toBe(5)
    expect(logOf({ ...second, log_tail: 'asked for' })).toBe('asked for')
    expect(progressOf(task({ state: 'completed', attempts: 2 }))).toBeNull()
  })
})

describe('listAfter', () => {
  const at = (minute: number) => `2026-11-20T09:${String(minute).padStart(2, '0')}:00Z`
  const list: TaskList = {
    pages: [
      pageOf([task({ id: 'd', created_at: at(40) }), task({ id: 'c', created_at: at(30) })], 'more'),
      pageOf([task({ id: 'b', created_at: at(20) })], 'still more'),
    ],
    pageParams: ['', 'more'],
  }
  const ids = (after: TaskList) => after.pages.map(({ items }) => items.map(({ id }) => id))

  it.each([
    [50, [['new', 'd', 'c'], ['b']]], [35, [['d', 'new', 'c'], ['b']]], [25, [['d', 'c'], ['new', 'b']]],
    // Older than all that is loaded: it comes with its own page.
    [10, [['d', 'c'], ['b']]],
  ])('puts a task of minute %i where the server would', (minute, expected) => {
    expect(ids(listAfter(list, any, [{ task: taskInBrief({ id: 'new', created_at: at(minute) }) }]))).toEqual(expected)
  })

  it('forgets what a task waited for once it runs, but not how far it is when it is asked to stop', () => {
    const waiting = task({ waits_for: 'Waits for a core.', waits_seconds: 30 })
    const running = { state: 'running', attempts: 1, started_at: at(31) }
    const [began] = listAfter({ pages: [pageOf([waiting])], pageParams: [''] }, any, [{ task: taskInBrief(running) }]).pages
    expect(began?.items[0]).toMatchObject({ state: 'running', waits_for: null, waits_seconds: null })
    const progress = { stage: 'counting', percent: 40, message: null, eta_seconds: 3 }
    const [asked] = listAfter({ pages: [pageOf([task({ state: 'running', attempts: 1, progress })])], pageParams: [''] }, any,
      [{ task: taskInBrief({ ...running, cancel_requested_at: at(32) }) }]).pages
    expect(asked?.items[0]).toMatchObject({ progress, cancel_requested_at: at(32) })
  })
})

describe('cancelTask', () => {
  it('is seen before the server answered, and taken back when it refuses', async () => {
    const known = task({ state: 'running', attempts: 1 })
    serveTasks(() => [known])
    let refuse = () => { /* nobody waits */ }
    server.use(http.post('/api/system/tasks/task-1/cancel', async () => {
      await new Promise<void>((resolve) => { refuse = resolve })
      return problem(503, 'database_unavailable', 'The database does not answer')
    }))
    const items = watchItems()
    const asked = () => items()?.[0]?.cancel_requested_at
    await expect.poll(asked).toBeNull()
    const cancelled = cancelTask(known)
    await expect.poll(asked).toMatch(/^20/)
    await expect.poll(() => refuse.toString()).not.toContain('nobody')
    refuse()
    await expect(cancelled).rejects.toMatchObject({ status: 503 })
    await expect.poll(asked).toBeNull()
  })
})
