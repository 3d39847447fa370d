/** What jsdom lacks and every component test needs. */
import { cleanup } from '@testing-library/vue'
import { afterEach } from 'vitest'

afterEach(() => { cleanup() })

window.matchMedia ??= (query: string) => ({
  matches: false,
  media: query,
  onchange: null,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  addListener: () => undefined,
  removeListener: () => undefined,
  dispatchEvent: () => false,
})

class QuietObserver implements ResizeObserver {
  observe() { return undefined }
  unobserve() { return undefined }
  disconnect() { return undefined }
}
window.ResizeObserver ??= QuietObserver
Element.prototype.scrollIntoView ??= () => undefined
Element.prototype.hasPointerCapture ??= () => false
Element.prototype.releasePointerCapture ??= () => undefined
