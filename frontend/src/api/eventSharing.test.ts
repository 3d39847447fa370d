import { http, HttpResponse } from 'msw'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sent, serveEvents } from '@/testing/eventServer'
import { SharedLocks } from '@/testing/locks'
import { server, useServer } from '@/testing/server'
import { takeTokensFrom } from './client'
import { checkNow } from './connection'
import { shareStream, type Surroundings } from './eventSharing'
import type { StreamState } from './stream'

useServer()

let locks: SharedLocks
let user = 0
const tabs: { close: () => void }[] = []

beforeEach(() => {
  locks = new SharedLocks()
  user += 1
  takeTokensFrom({ token: () => Promise.resolve('kept') })
})
afterEach(() => {
  for (const tab of tabs.splice(0)) tab.close()
  vi.useRealTimers()
})

/** A tab of this browser, with what it was told. */
function openTab({ withLocks = true, silent = false } = {}) {
  const heard: (number | null)[] = []
  const states: StreamState[] = []
  const anew = vi.fn()
  const surroundings: Surroundings = {
    locks: withLocks ? locks : undefined,
    channel: (name) => {
      const channel = new BroadcastChannel(name)
      if (silent) channel.postMessage = () => undefined // as a tab that the browser has frozen
      return channel
    },
  }
  const close = shareStream(`user-${user}`, {
    heard: (events) => { heard.push(...events.map(({ id }) => id)) },
    anew,
    changed: (state) => { states.push(state) },
  }, surroundings)
  const tab = { heard, anew, close, phase: () => states.at(-1)?.phase, tells: () => states.length }
  tabs.push(tab)
  return tab
}

async function until(holds: () => boolean) {
  await expect.poll(holds, { timeout: 4_000 }).toBe(true)
}

describe('one stream for all tabs', () => {
  it('is opened by one of them, and heard by all', async () => {
    const streams = serveEvents({ place: 7 })
    const first = openTab()
    await until(() => first.phase() === 'live')
    const second = openTab()
    await until(() => second.phase() === 'live')
    expect(first.anew).toHaveBeenCalledOnce() // what was asked before the stream began may lack something
    expect(second.anew).toHaveBeenCalledOnce()
    streams[0]?.send(sent(8) + sent(9, 'running'))
    streams[0]?.send(sent(10, 'completed'))
    await until(() => second.heard.length === 3)
    expect(first.heard).toEqual([8, 9, 10])
    expect(second.heard).toEqual([8, 9, 10])
    expect(first.anew).toHaveBeenCalledOnce()
    expect(second.anew).toHaveBeenCalledOnce()
    expect(streams).toHaveLength(1)
  })

  it('goes on in the next tab when the first is closed, with nothing lost and nothing twice', async () => {
    const streams = serveEvents()
    const first = openTab()
    await until(() => first.phase() === 'live')
    const second = openTab()
    const third = openTab()
    await until(() => third.phase() === 'live')
    streams[0]?.send(sent(1) + sent(2))
    await until(() => third.heard.length === 2)
    first.close()
    await until(() => streams.length === 2)
    expect(streams[0]?.isCut).toBe(true)
    expect(streams[1]?.lastEventId).toBe('2')
    streams[1]?.send(sent(2) + sent(3)) // the server may tell again what was heard
    await until(() => third.heard.length === 3)
    expect(second.heard).toEqual([1, 2, 3])
    expect(third.heard).toEqual([1, 2, 3])
    expect(third.anew).toHaveBeenCalledOnce()
  })

  it('asks everything again in all tabs when events are gone', async () => {
    const streams = serveEvents()
    const first = openTab()
    await until(() => first.phase() === 'live')
    const second = openTab()
    await until(() => second.phase() === 'live')
    streams[0]?.send(sent(1))
    await until(() => second.heard.length === 1)
    streams[0]?.send('event: reset\nid: 0\ndata: {"type":"reset"}\n\n' + sent(1))
    await until(() => second.heard.length === 2)
    expect(first.heard).toEqual([1, 1]) // another database: its first event is not the one that was heard
    expect(first.anew).toHaveBeenCalledTimes(2)
    expect(second.anew).toHaveBeenCalledTimes(2)
  })

  it('asks everything again where a gap shows that something was missed', async () => {
    const streams = serveEvents()
    const only = openTab()
    await until(() => only.phase() === 'live')
    streams[0]?.send(sent(1) + sent(4))
    await until(() => only.anew.mock.calls.length === 2)
    expect(only.heard).toEqual([1, 4])
  })

  it('is taken from a tab that has gone silent, which then listens', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true })
    const streams = serveEvents()
    const frozen = openTab({ silent: true })
    await until(() => frozen.phase() === 'live')
    const second = openTab()
    streams[0]?.send(sent(1))
    await until(() => frozen.heard.length === 1)
    expect(second.heard).toEqual([])
    for (let step = 0; step < 10; step += 1) await vi.advanceTimersByTimeAsync(5_000)
    await until(() => streams.length === 2)
    expect(streams[0]?.isCut).toBe(true)
    streams[1]?.send(sent(2))
    await until(() => frozen.heard.includes(2))
    await until(() => second.heard.includes(2))
  })

  it('is opened by every tab for itself where the browser has no locks, but only while it is seen', async () => {
    const streams = serveEvents()
    const only = openTab({ withLocks: false })
    await until(() => only.phase() === 'live')
    streams[0]?.send(sent(1))
    await until(() => only.heard.length === 1)
    const seen = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    document.dispatchEvent(new Event('visibilitychange'))
    await until(() => streams[0]?.isCut === true)
    seen.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await until(() => streams.length === 2)
    expect(streams[1]?.lastEventId).toBe('1')
  })

  it('leaves the page while the browser keeps it for the back button, and comes back with it', async () => {
    const streams = serveEvents()
    const only = openTab()
    await until(() => only.phase() === 'live')
    streams[0]?.send(sent(1))
    await until(() => only.heard.length === 1)
    window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
    await until(() => streams[0]?.isCut === true)
    window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
    await until(() => streams.length === 2)
    expect(streams[1]?.lastEventId).toBe('1')
  })

  it('is woken by any tab that finds the server back', async () => {
    const streams = serveEvents()
    const leader = openTab()
    await until(() => leader.phase() === 'live')
    const second = openTab()
    await until(() => second.phase() === 'live')
    server.use(http.get('/healthz', () => HttpResponse.error()))
    streams[0]?.break()
    await checkNow()
    await until(() => second.phase() === 'reconnecting')
    server.use(http.get('/healthz', () => HttpResponse.json({})))
    await checkNow()
    await until(() => second.phase() === 'live')
    expect(streams).toHaveLength(2)
  })
})
