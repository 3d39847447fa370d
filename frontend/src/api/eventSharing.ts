/** One stream for all tabs of a browser: one tab leads and tells the others; when it goes, the next goes on where it heard last. */
import { watch } from 'vue'
import { useConnection } from './connection'
import { EventStream, type StreamEvent } from './eventStream'
import type { StreamState } from './stream'

const leaderSilenceMilliseconds = 40_000
const checkMilliseconds = 5_000

export interface Ears {
  /** Each event once and in order. */
  heard: (events: readonly StreamEvent[]) => void
  /** The beginning, or a gap: what was asked before is to be asked again. */
  anew: () => void
  changed: (state: StreamState) => void
}

type Told
  = | { about: 'events', events: readonly StreamEvent[] }
    | { about: 'place', place: number, anew: boolean }
    | { about: 'state', state: StreamState, place: number | null }
    | { about: 'newcomer' }
    | { about: 'wake' }

/** What of the browser is needed; the locks are missing where the address is neither https nor loopback. */
export interface Surroundings {
  locks: Pick<LockManager, 'request'> | undefined
  channel: (name: string) => Pick<BroadcastChannel, 'postMessage' | 'onmessage' | 'close'>
}

const thisBrowser: Surroundings = {
  locks: typeof navigator === 'undefined' ? undefined : navigator.locks as LockManager | undefined,
  channel: (name) => new BroadcastChannel(name),
}

/** Returns how to leave. */
export function shareStream(user: string, ears: Ears, surroundings = thisBrowser): () => void {
  const sharing = new Sharing(`tidemark.events.${user}`, ears, surroundings)
  sharing.join()
  return () => { sharing.leave() }
}

class Sharing {
  private readonly channel
  private place: number | null = null
  private state: StreamState = { phase: 'connecting', since: new Date(), nextAttemptAt: null }
  private stream: EventStream | undefined
  private leaderHeardAt = Date.now()
  private checkedAt = Date.now()
  private timer: ReturnType<typeof setInterval> | undefined
  private unwatch = () => { /* nothing is watched */ }
  /** Ends this tab's candidacy, and its leading. */
  private standing = new AbortController()

  constructor(private readonly name: string, private readonly ears: Ears, private readonly browser: Surroundings) {
    this.channel = browser.channel(name)
    this.channel.onmessage = ({ data }: MessageEvent<Told>) => { this.listen(data) }
  }

  join() {
    document.addEventListener('visibilitychange', this.seen)
    window.addEventListener('pagehide', this.rest)
    window.addEventListener('pageshow', this.back)
    this.timer = setInterval(() => { this.check() }, checkMilliseconds)
    const { isLost } = useConnection()
    this.unwatch = watch(isLost, (lost) => { if (!lost) this.wake() }) // the leader may be a tab that sleeps
    this.stand()
    this.say({ about: 'newcomer' })
  }

  leave() {
    document.removeEventListener('visibilitychange', this.seen)
    window.removeEventListener('pagehide', this.rest)
    window.removeEventListener('pageshow', this.back)
    clearInterval(this.timer)
    this.unwatch()
    this.quit()
    this.channel.close()
  }

  private readonly seen = () => {
    if (this.browser.locks === undefined) this.leadWhileSeen()
    if (document.visibilityState === 'visible') this.wake()
  }

  /** A page that the browser keeps for the back button must hold neither a lock nor a connection. */
  private readonly rest = () => { this.quit() }

  private readonly back = ({ persisted }: PageTransitionEvent) => {
    if (!persisted) return
    this.stand()
    this.say({ about: 'newcomer' })
  }

  private stand({ steal = false } = {}) {
    this.quit()
    const { signal } = this.standing = new AbortController()
    const { locks } = this.browser
    if (locks === undefined) {
      this.leadWhileSeen()
      return
    }
    const lead = () => this.lead(signal)
    void locks.request(this.name, steal ? { steal } : { signal }, lead).catch(() => {
      // Another tab took the lead from this one, which it believed to be dead.
      if (!signal.aborted) this.stand()
    })
  }

  private quit() {
    this.standing.abort()
    this.stream = undefined
  }

  /** Without locks nobody can be elected, and a browser has few connections to spare: who is seen streams for itself. */
  private leadWhileSeen() {
    if (document.visibilityState === 'hidden') this.quit()
    else if (this.stream === undefined) {
      this.standing = new AbortController()
      void this.lead(this.standing.signal)
    }
  }

  private async lead(signal: AbortSignal) {
    this.stream = new EventStream({
      began: (place, anew) => {
        this.begin(place, anew)
        this.say({ about: 'place', place, anew })
      },
      heard: (events) => {
        this.hear(events)
        this.say({ about: 'events', events })
      },
      alive: () => { this.sayState() },
      changed: (state) => {
        this.show(state)
        this.sayState()
      },
    }, () => this.place)
    await this.stream.run(signal)
  }

  private listen(told: Told) {
    if (told.about === 'newcomer') this.sayState()
    else if (told.about === 'wake') this.stream?.wake()
    else if (this.stream === undefined) this.follow(told)
  }

  private follow(told: Exclude<Told, { about: 'newcomer' | 'wake' }>) {
    this.leaderHeardAt = Date.now()
    if (told.about === 'events') this.hear(told.events)
    else if (told.about === 'place') this.begin(told.place, told.anew)
    else {
      this.show(told.state)
      if (told.place !== null) this.begin(told.place, false)
    }
  }

  private begin(place: number, anew: boolean) {
    if (!anew && this.place !== null && place <= this.place) return
    this.place = place
    this.ears.anew()
  }

  /** Ids count up by one: what is not higher was heard before, and what is too high shows that something was missed. */
  private hear(events: readonly StreamEvent[]) {
    const fresh: StreamEvent[] = []
    let isMissing = false
    for (const event of events) {
      if (event.id !== null) {
        if (this.place !== null && event.id <= this.place) continue
        isMissing ||= this.place === null || event.id > this.place + 1
        this.place = event.id
      }
      fresh.push(event)
    }
    if (fresh.length > 0) this.ears.heard(fresh)
    if (isMissing) this.ears.anew()
  }

  private show(state: StreamState) {
    this.state = state
    this.ears.changed(state)
  }

  private sayState() {
    if (this.stream !== undefined) this.say({ about: 'state', state: this.state, place: this.place })
  }

  private say(told: Told) {
    this.channel.postMessage(told)
  }

  private wake() {
    this.stream?.wake()
    this.say({ about: 'wake' })
  }

  /** Takes the lead from a tab that is silent: frozen by the browser, or stuck. */
  private check() {
    const now = Date.now()
    if (now - this.checkedAt > 3 * checkMilliseconds) this.leaderHeardAt = now // it was this tab that slept
    this.checkedAt = now
    if (this.stream !== undefined) this.sayState()
    if (this.stream !== undefined || this.browser.locks === undefined) return
    if (now - this.leaderHeardAt < leaderSilenceMilliseconds) return
    this.leaderHeardAt = now
    this.stand({ steal: true })
  }
}
