import { onlineManager } from '@tanstack/vue-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checkNow, useConnection, watchConnection } from './connection'

const answer = vi.fn<() => Promise<Response>>()
const alive = () => Promise.resolve(new Response('{}'))
const dead = () => Promise.reject(new TypeError('Failed to fetch'))

beforeEach(async () => {
  vi.useFakeTimers()
  vi.stubGlobal('fetch', answer)
  answer.mockImplementation(alive)
  watchConnection()
  await checkNow()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('connection', () => {
  it('notices within 3 seconds that the server died, without anybody clicking', async () => {
    const { isLost } = useConnection()
    answer.mockImplementation(dead)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(isLost.value).toBe(true)
    expect(onlineManager.isOnline()).toBe(false)
  })

  it('comes back by itself, and lets waiting questions through', async () => {
    const { isLost, connection } = useConnection()
    answer.mockImplementation(dead)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(connection.lostAt).not.toBeNull()
    expect(connection.nextAttemptAt).not.toBeNull()
    answer.mockImplementation(alive)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(isLost.value).toBe(false)
    expect(connection.lostAt).toBeNull()
    expect(onlineManager.isOnline()).toBe(true)
  })

  it('asks every second at first, since a server that starts anew is back soon, and then at most every 5', async () => {
    answer.mockImplementation(dead)
    await checkNow()
    answer.mockClear()
    await vi.advanceTimersByTimeAsync(9_500)
    expect(answer).toHaveBeenCalledTimes(9)
    answer.mockClear()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answer.mock.calls.length).toBeGreaterThanOrEqual(12)
    expect(answer.mock.calls.length).toBeLessThanOrEqual(16)
  })

  it('goes on asking for a lost server while nobody sees the page, and asks nothing of one that is there', async () => {
    const seen = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    document.dispatchEvent(new Event('visibilitychange'))
    answer.mockClear()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(answer).not.toHaveBeenCalled()
    answer.mockImplementation(dead)
    await checkNow()
    answer.mockImplementation(alive)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(useConnection().isLost.value).toBe(false)
    seen.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
  })

  it('asks once for all who want to know at the same time', async () => {
    answer.mockClear()
    await Promise.all([checkNow(), checkNow(), checkNow()])
    expect(answer).toHaveBeenCalledOnce()
  })

  it('waits for a server that is busy, and gives up one that says nothing at all', async () => {
    const { isLost } = useConnection()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
      const stop = new AbortController()
      setTimeout(() => { stop.abort() }, milliseconds)
      return stop.signal
    })
    const silent = vi.fn<typeof fetch>((_, options) => new Promise((_resolve, reject) => {
      options?.signal?.addEventListener('abort', () => { reject(new DOMException('Too late', 'TimeoutError')) })
    }))
    vi.stubGlobal('fetch', silent)
    await vi.advanceTimersByTimeAsync(7_000)
    expect(silent).toHaveBeenCalledOnce()
    expect(isLost.value).toBe(false)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(isLost.value).toBe(true)
    vi.stubGlobal('fetch', answer)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(isLost.value).toBe(false)
    timeout.mockRestore()
  })

  it('checks at once when the browser says that it is offline', async () => {
    const { isLost } = useConnection()
    answer.mockImplementation(dead)
    window.dispatchEvent(new Event('offline'))
    await vi.advanceTimersByTimeAsync(0)
    expect(isLost.value).toBe(true)
  })

  it('takes a server that answers with an error of its own for alive only below 500', async () => {
    const { isLost } = useConnection()
    answer.mockResolvedValue(new Response('', { status: 503 }))
    await checkNow()
    expect(isLost.value).toBe(true)
    answer.mockResolvedValue(new Response('', { status: 429 }))
    await checkNow()
    expect(isLost.value).toBe(false)
  })
})
