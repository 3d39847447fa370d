import { http, HttpResponse } from 'msw'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type OpenStream, sent, serveEvents } from '@/testing/eventServer'
import { problem, server, useServer } from '@/testing/server'
import { takeTokensFrom } from './client'
import { checkNow, useConnection } from './connection'
import { EventStream, type StreamEvent } from './eventStream'
import type { StreamState } from './stream'

useServer()

let over: AbortController
let place: number | null
let heard: StreamEvent[]
let began: [number, boolean][]
let states: StreamState[]
const token = vi.fn<(options?: { renew: boolean }) => Promise<string | null>>()

beforeEach(() => {
  over = new AbortController()
  place = null
  heard = []
  began = []
  states = []
  token.mockReset().mockImplementation(({ renew } = { renew: false }) => Promise.resolve(renew ? 'fresh' : 'kept'))
  takeTokensFrom({ token })
})
afterEach(() => {
  over.abort()
  vi.useRealTimers()
})

function follow() {
  const stream = new EventStream({
    began: (at, anew) => {
      began.push([at, anew])
      place = at
    },
    heard: (events) => {
      heard.push(...events)
      place = events.findLast(({ id }) => id !== null)?.id ?? place
    },
    alive: () => undefined,
    changed: (state) => { states.push(state) },
  }, () => place)
  void stream.run(over.signal)
  return stream
}

async function opened(streams: OpenStream[], count = 1) {
  await expect.poll(() => streams.length, { timeout: 5_000 }).toBe(count)
  return streams[count - 1] as OpenStream
}

const ids = () => heard.map(({ id }) => id)

describe('EventStream', () => {
  it('begins with what comes from now on, and knows events from passing progress', async () => {
    const streams = serveEvents({ place: 7 })
    follow()
    const stream = await opened(streams)
    expect(stream.lastEventId).toBeNull()
    expect(stream.token).toBe('Bearer kept')
    stream.send(sent(8, 'running') + 'event: task_progress\ndata: {"type":"task_progress","task":{"id":"task-1","percent":40}}\n\n')
    await expect.poll(() => heard).toMatchObject([
      { id: 8, type: 'task_running', task: { id: 'task-1', state: 'running' } },
      { id: null, type: 'task_progress', task: { percent: 40 } },
    ])
    expect(began).toEqual([[7, false]])
    expect(states.at(-1)?.phase).toBe('live')
  })

  it('resumes after a cut where it heard last, even in the middle of an event', async () => {
    const streams = serveEvents()
    follow()
    const first = await opened(streams)
    first.send(sent(1) + sent(2, 'running') + sent(3, 'completed').slice(0, 20))
    await expect.poll(ids).toEqual([1, 2])
    first.break()
    const second = await opened(streams, 2)
    expect(second.lastEventId).toBe('2')
    second.send(sent(3, 'completed'))
    await expect.poll(ids).toEqual([1, 2, 3])
    expect(states.map(({ phase }) => phase)).toContain('reconnecting')
    expect(states.at(-1)?.phase).toBe('live')
  })

  it('resumes when the server ends the stream, as it does when the token is used up', async () => {
    const streams = serveEvents()
    follow();
    (await opened(streams)).send(sent(1))
    await expect.poll(ids).toEqual([1])
    streams[0]?.send(': ended, expired\n\n')
    streams[0]?.end()
    expect((await opened(streams, 2)).lastEventId).toBe('1')
  })

  it('says so when the events that it asked for are gone', async () => {
    const streams = serveEvents()
    place = 900
    follow();
    (await opened(streams)).send('event: reset\nid: 12\ndata: {"type":"reset"}\n\n' + sent(13))
    await expect.poll(() => began).toEqual([[900, false], [12, true]])
    await expect.poll(ids).toEqual([13])
  })

  it('gives up a connection that is silent for 40 s, and not one that shows signs of life', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true })
    const streams = serveEvents()
    follow()
    const first = await opened(streams)
    await expect.poll(() => states.at(-1)?.phase).toBe('live')
    for (let sign = 0; sign < 4; sign += 1) {
      await vi.advanceTimersByTimeAsync(15_000)
      first.send(': \n\n')
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(first.isCut).toBe(false)
    await vi.advanceTimersByTimeAsync(41_000)
    await expect.poll(() => first.isCut).toBe(true)
    await opened(streams, 2)
  })

  it.each([[401, 'token_rejected'], [403, 'account_suspended']])('asks for a fresh token once when it is refused with %i', async (status, code) => {
    const streams = serveEvents()
    server.use(http.get('/api/system/task-events', ({ request }) => {
      if (request.headers.get('authorization') === 'Bearer kept') return problem(status, code, 'Not with this token')
    }))
    follow()
    expect((await opened(streams)).token).toBe('Bearer fresh')
    expect(token.mock.calls).toEqual([[undefined], [{ renew: true }]])
  })

  it('waits as long as the server asks for', async () => {
    const asked: number[] = []
    server.use(http.get('/api/system/task-events', () => {
      asked.push(Date.now())
      return problem(503, 'not_ready', 'Tidemark is stopping', {})
    }))
    follow()
    await expect.poll(() => states.at(-1)?.nextAttemptAt ?? null).not.toBeNull()
    over.abort()
    const quick = (states.at(-1)?.nextAttemptAt?.getTime() ?? 0) - (asked[0] ?? 0)
    expect(quick).toBeLessThan(1_000)

    over = new AbortController()
    states = []
    server.use(http.get('/api/system/task-events', () => HttpResponse.json({}, { status: 429, headers: { 'Retry-After': '20' } })))
    follow()
    await expect.poll(() => (states.at(-1)?.nextAttemptAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(15_000)
  })

  it('takes a page for no stream', async () => {
    server.use(http.get('/api/system/task-events', () => new HttpResponse('<html></html>', { headers: { 'Content-Type': 'text/html' } })))
    follow()
    await expect.poll(() => states.at(-1)?.phase).toBe('reconnecting')
    expect(states.map(({ phase }) => phase)).not.toContain('live')
  })

  it('tells at once that the server is gone, waits for it, and resumes as soon as it is back', async () => {
    const streams = serveEvents()
    follow()
    const first = await opened(streams)
    first.send(sent(1))
    await expect.poll(ids).toEqual([1])
    server.use(http.get('/healthz', () => HttpResponse.error()))
    first.break()
    const { isLost } = useConnection()
    await expect.poll(() => isLost.value).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(streams).toHaveLength(1)
    server.use(http.get('/healthz', () => HttpResponse.json({})))
    await checkNow()
    expect((await opened(streams, 2)).lastEventId).toBe('1')
  })

  it('does not trust a connection from before an outage', async () => {
    const streams = serveEvents()
    follow()
    const first = await opened(streams)
    await expect.poll(() => states.at(-1)?.phase).toBe('live')
    server.use(http.get('/healthz', () => HttpResponse.error()))
    await checkNow()
    expect(first.isCut).toBe(false)
    server.use(http.get('/healthz', () => HttpResponse.json({})))
    await checkNow()
    await opened(streams, 2)
    expect(first.isCut).toBe(true)
  })

  it('goes on, and hides nothing, when a listener breaks', async () => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const streams = serveEvents()
    follow()
    const stream = await opened(streams)
    await expect.poll(() => began).toHaveLength(1)
    const push = vi.spyOn(heard, 'push').mockImplementationOnce(() => { throw new Error('a defect') })
    stream.send(sent(1))
    await expect.poll(() => reported.mock.calls).toEqual([[new Error('a defect')]])
    push.mockRestore()
    stream.send(sent(2))
    await expect.poll(ids).toEqual([2])
    expect(streams).toHaveLength(1)
    vi.unstubAllGlobals()
  })

  it('stops when it is told to', async () => {
    const streams = serveEvents()
    follow()
    const first = await opened(streams)
    over.abort()
    await expect.poll(() => first.isCut).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(streams).toHaveLength(1)
  })
})
