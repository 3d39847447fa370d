import { fireEvent, render, screen } from '@testing-library/vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { messages, notify } from '@/shared/composables/notify'
import Toasts from './Toasts.vue'

const corner = () => screen.getByRole('region', { name: /^Notifications/ })

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => {
  messages.value = []
  vi.useRealTimers()
})

describe('Toasts', () => {
  it('announces a message without taking the focus, and lets it go by itself', async () => {
    render(Toasts)
    notify.success('Copied')
    await nextTick()
    expect(corner().getAttribute('aria-live')).toBe('polite')
    expect(corner().textContent).toContain('Copied')
    expect(document.activeElement).toBe(document.body)
    await vi.advanceTimersByTimeAsync(5000)
    expect(screen.queryByText('Copied')).toBeNull()
  })

  it('keeps what was said before it was there', async () => {
    notify.error('Too early')
    render(Toasts)
    await nextTick()
    expect(screen.getByText('Too early')).toBeTruthy()
  })

  it('waits while somebody points at it', async () => {
    render(Toasts)
    notify.info('Read me')
    await nextTick()
    await fireEvent.pointerEnter(corner())
    await vi.advanceTimersByTimeAsync(60_000)
    expect(screen.getByText('Read me')).toBeTruthy()
    await fireEvent.pointerLeave(corner())
    await vi.advanceTimersByTimeAsync(5000)
    expect(screen.queryByText('Read me')).toBeNull()
  })

  it('takes back what can be taken back, for ten seconds', async () => {
    render(Toasts)
    const undo = vi.fn()
    notify.undoable('Archived', undo)
    await vi.advanceTimersByTimeAsync(9000)
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    expect(undo).toHaveBeenCalledOnce()
    expect(screen.queryByText('Archived')).toBeNull()
  })

  it('is reached by Alt and T, and Escape leads back', async () => {
    render({ components: { Toasts }, template: '<button>Before</button><Toasts />' })
    notify.warning('Careful')
    await nextTick()
    const before = screen.getByRole('button', { name: 'Before' })
    before.focus()
    await fireEvent.keyDown(before, { code: 'KeyT', altKey: true })
    expect(document.activeElement).toBe(corner())
    await vi.advanceTimersByTimeAsync(60_000)
    expect(screen.getByText('Careful')).toBeTruthy()
    await fireEvent.keyDown(corner(), { key: 'Escape' })
    expect(document.activeElement).toBe(before)
  })

  it('keeps the newest few, and closes by hand', async () => {
    render(Toasts)
    for (const number of [1, 2, 3, 4, 5]) notify.info(`Message ${number}`)
    await nextTick()
    expect(screen.queryByText('Message 1')).toBeNull()
    await fireEvent.click(screen.getAllByRole('button', { name: 'Close the message' })[0] as HTMLElement)
    expect(screen.queryByText('Message 2')).toBeNull()
    expect(screen.getByText('Message 5')).toBeTruthy()
  })
})
