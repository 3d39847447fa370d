/** One connection to the server's stream of events for as long as it is wanted: resumed after every cut, never given up. */
import { watch } from 'vue'
import { ApiError, bearer } from './client'
import { checkNow, useConnection } from './connection'
import { type Message, MessageReader } from './sse'
import type { StreamState } from './stream'

const path = '/api/system/task-events'
/** A sign of life comes every 15 s. */
const silenceMilliseconds = 40_000
const longestWaitMilliseconds = 5_000
const refusedMilliseconds = 30_000
/** A stream that lasted so long was a good one: the next cut is the first again. */
const goodAfterMilliseconds = 5_000

/** An event as it was sent. Those with an id count up by one and are kept by the server; the others are passing. */
export interface StreamEvent {
  id: number | null
  type: string
  task: { id: string }
}

export interface StreamListener {
  /** The server goes on after this event. Anew: what was between the last one heard and this is gone. */
  began: (place: number, anew: boolean) => void
  heard: (events: readonly StreamEvent[]) => void
  /** Something came, if only a sign of life. */
  alive: () => void
  changed: (state: StreamState) => void
}

export class EventStream {
  private state: StreamState = { phase: 'connecting', since: new Date(), nextAttemptAt: null }
  private failures = 0
  private wakeUp = () => { /* nothing waits */ }

  /** `place` tells the last event that was heard; null asks for what comes from now on. */
  constructor(private readonly listener: StreamListener, private readonly place: () => number | null) {}

  /** Settles when the signal is given, and not before. */
  async run(signal: AbortSignal) {
    this.become('connecting')
    while (!signal.aborted) {
      const asked = await this.connect(signal).catch(() => undefined)
      if (signal.aborted) return
      this.become('reconnecting')
      await checkNow() // a cut stream is the first to know that the server died
      await this.pause(asked, signal)
    }
  }

  /** Tries at once instead of waiting, and does not trust a connection that was silent for too long. */
  wake() {
    this.wakeUp()
  }

  /** Follows the stream until it is cut. Returns after how long the server wants to be asked again, if it says. */
  private async connect(signal: AbortSignal): Promise<number | undefined> {
    const cut = new AbortController()
    const stop = () => { cut.abort() }
    const silence = new Silence(stop)
    const { isLost } = useConnection()
    // A connection from before an outage may be dead without knowing it.
    const unwatch = watch(isLost, (lost) => { if (!lost) stop() }, { flush: 'sync' })
    signal.addEventListener('abort', stop)
    this.wakeUp = () => { silence.check() }
    try {
      const response = await open(this.place(), cut.signal)
      if (response.body === null || !isStream(response)) return refusal(response)
      await this.read(response.body.getReader(), silence, cut.signal)
    } finally {
      stop()
      unwatch()
      silence.end()
      signal.removeEventListener('abort', stop)
    }
  }

  private async read(source: ReadableStreamDefaultReader<Uint8Array>, silence: Silence, signal: AbortSignal) {
    const reader = new MessageReader()
    const began = Date.now()
    signal.addEventListener('abort', () => { source.cancel().catch(() => undefined) })
    try {
      for (let piece = await source.read(); !piece.done; piece = await source.read()) {
        silence.broken()
        this.tellSafely(reader.read(piece.value))
        this.become('live')
        this.listener.alive()
      }
    } finally {
      if (Date.now() - began > goodAfterMilliseconds) this.failures = 0
    }
  }

  /** What breaks in a listener is its own fault, and no reason to cut the stream. */
  private tellSafely(messages: readonly Message[]) {
    try {
      this.tell(messages)
    } catch (error) {
      reportError(error)
    }
  }

  private tell(messages: readonly Message[]) {
    let events: StreamEvent[] = []
    for (const { event, data, id } of messages) {
      if (event === 'reset' || data === '') {
        if (events.length > 0) this.listener.heard(events)
        events = []
        this.listener.began(Number(id), event === 'reset')
      } else {
        events.push(...eventIn(event, data, id))
      }
    }
    if (events.length > 0) this.listener.heard(events)
  }

  /** Until the server answers again where it is lost; else a little longer each time. */
  private async pause(asked: number | undefined, signal: AbortSignal) {
    const { isLost } = useConnection()
    const wait = isLost.value ? null : asked ?? Math.min(250 * 2 ** this.failures, longestWaitMilliseconds) * (0.8 + 0.4 * Math.random())
    this.failures += 1
    this.become('reconnecting', wait === null ? null : new Date(Date.now() + wait))
    await new Promise<void>((resolve) => {
      const timer = wait === null ? undefined : setTimeout(done, wait)
      const unwatch = watch(isLost, (lost) => { if (!lost) done() }, { flush: 'sync' })
      function done() {
        clearTimeout(timer)
        unwatch()
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
      this.wakeUp = () => {
        if (isLost.value) void checkNow()
        else done()
      }
    })
  }

  private become(phase: StreamState['phase'], nextAttemptAt: Date | null = null) {
    if (phase === this.state.phase && nextAttemptAt === this.state.nextAttemptAt) return
    this.state = { phase, since: phase === this.state.phase ? this.state.since : new Date(), nextAttemptAt }
    this.listener.changed(this.state)
  }
}

/** Gives up a connection over which nothing comes any more. */
class Silence {
  private heardAt = Date.now()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly give: () => void) {
    this.broken()
  }

  broken() {
    this.heardAt = Date.now()
    clearTimeout(this.timer)
    this.timer = setTimeout(this.give, silenceMilliseconds)
  }

  /** After sleep, timers are late and the clock is not. */
  check() {
    if (Date.now() - this.heardAt > silenceMilliseconds) this.give()
  }

  end() { clearTimeout(this.timer) }
}

async function open(place: number | null, signal: AbortSignal) {
  const token = await bearer()
  const response = await ask(token, place, signal)
  if (response.status !== 401 && response.status !== 403) return response // 403: the account is suspended
  const renewed = await bearer({ renew: true })
  return renewed === null || renewed === token ? response : await ask(renewed, place, signal)
}

function ask(token: string | null, place: number | null, signal: AbortSignal) {
  if (token === null) throw new ApiError({ status: 401, code: 'not_signed_in', title: 'Sign in first', detail: '' })
  return fetch(path, {
    headers: {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${token}`,
      ...(place === null ? {} : { 'Last-Event-ID': String(place) }),
    },
    cache: 'no-store',
    signal,
  })
}

function isStream(response: Response) {
  return response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') === true
}

/** What the server asks for; one that says no does not change its mind within seconds. */
function refusal({ status, headers }: Response) {
  const seconds = Number(headers.get('retry-after'))
  if (Number.isFinite(seconds) && seconds > 0) return Math.min(seconds, 60) * 1_000
  return status >= 400 && status < 500 ? refusedMilliseconds : undefined
}

/** None where it cannot be read: the gap in the ids will show that something is missing. */
function eventIn(type: string, data: string, id: string): StreamEvent[] {
  try {
    const { task } = JSON.parse(data) as Pick<StreamEvent, 'task'>
    return [{ id: type === 'task_progress' ? null : Number(id), type, task }]
  } catch {
    return []
  }
}
