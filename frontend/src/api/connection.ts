/** Whether the server can be reached: a light heartbeat while the page is seen, and patient retries once it is lost. */
import { onlineManager } from '@tanstack/vue-query'
import { computed, reactive, readonly } from 'vue'
import { reportTo } from './client'

const heartbeatMilliseconds = 2_000
/** One that was killed refuses at once. One that says nothing for so long may be busy, and is there. */
const answerWithinMilliseconds = 8_000
const longestWaitMilliseconds = 5_000
/** So many times it is asked every second: a server that starts anew is back within seconds. */
const quickAttempts = 10

interface Connection {
  state: 'connected' | 'lost'
  lostAt: Date | null
  nextAttemptAt: Date | null
  attempts: number
  checking: boolean
}

const connection = reactive<Connection>({ state: 'connected', lostAt: null, nextAttemptAt: null, attempts: 0, checking: false })
let timer: ReturnType<typeof setTimeout> | undefined
let watching = false
let check: Promise<void> | undefined

export function useConnection() {
  return { connection: readonly(connection), isLost: computed(() => connection.state === 'lost'), checkNow }
}

/** Called once, by main.ts. */
export function watchConnection() {
  if (watching) return
  watching = true
  reportTo({ answered: recovered, unreachable: () => { void checkNow() } })
  window.addEventListener('offline', () => { void checkNow() })
  window.addEventListener('online', () => { void checkNow() })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void checkNow()
    else if (connection.state === 'connected') clearTimeout(timer)
  })
  schedule(heartbeatMilliseconds)
}

/** Settles when the answer is there, or fails to come. */
export function checkNow(): Promise<void> {
  check ??= ask().finally(() => { check = undefined })
  return check
}

async function ask() {
  clearTimeout(timer)
  Object.assign(connection, { checking: true, nextAttemptAt: null })
  const alive = await answers()
  connection.checking = false
  if (alive) recovered()
  else lost()
  schedule(connection.state === 'connected' ? heartbeatMilliseconds : waitBeforeAttempt())
}

function schedule(milliseconds: number) {
  clearTimeout(timer)
  connection.nextAttemptAt = connection.state === 'lost' ? new Date(Date.now() + milliseconds) : null
  // A page that nobody sees asks nothing, but it does not give up a server that it lost: others may listen through it.
  const asks = document.visibilityState === 'visible' || connection.state === 'lost'
  if (asks) timer = setTimeout(() => { void checkNow() }, milliseconds)
}

function waitBeforeAttempt() {
  return Math.min(1_000 * Math.max(1, connection.attempts - quickAttempts), longestWaitMilliseconds)
}

function lost() {
  connection.attempts += 1
  if (connection.state === 'lost') return
  connection.state = 'lost'
  connection.lostAt = new Date()
  onlineManager.setOnline(false)
}

function recovered() {
  if (connection.state === 'connected') return
  Object.assign(connection, { state: 'connected', lostAt: null, nextAttemptAt: null, attempts: 0 })
  onlineManager.setOnline(true) // questions that waited are asked now, and what is shown is refreshed
}

async function answers() {
  try {
    const response = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(answerWithinMilliseconds) })
    return response.status < 500
  } catch {
    return false
  }
}
