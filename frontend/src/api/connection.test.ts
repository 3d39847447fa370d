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

  it('waits a little longer each time, at most 5 seconds', async () => {
    answer.mockImplementation(dead)
    await checkNow()
    answer.mockClear()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answer.mock.calls.length).toBeGreaterThanOrEqual(12)
    expect(answer.mock.calls.length).toBeLessThanOrEqual(16)
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
