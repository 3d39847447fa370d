import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import script from '../../../public/appearance.js?raw'

const key = 'tidemark.appearance'

beforeEach(() => {
  vi.resetModules()
  localStorage.clear()
})
afterEach(() => { localStorage.clear() })

async function load() {
  return (await import('./appearance')).useAppearance()
}

describe('appearance', () => {
  it('is the system\'s until something is chosen, and remembers the choice', async () => {
    const { appearance, choose, isStandard } = await load()
    expect(isStandard()).toBe(true)
    choose({ theme: 'dark' })
    expect(document.documentElement.dataset.theme).toBe('dark')
    expect(JSON.parse(localStorage.getItem(key) ?? '')).toEqual({ ...appearance })
  })

  it.each(['nonsense', 'null', '[]', '{"theme": "pink", "density": 7, "other": true}'])('takes %s in storage for nothing', async (stored) => {
    localStorage.setItem(key, stored)
    expect((await load()).isStandard()).toBe(true)
  })

  it('follows another tab', async () => {
    const { appearance } = await load()
    localStorage.setItem(key, '{"density": "compact"}')
    window.dispatchEvent(new StorageEvent('storage', { key }))
    expect(appearance.density).toBe('compact')
  })

  it('sets the same attributes as the script that runs before the first paint', async () => {
    for (const stored of [{}, { theme: 'dark' }, { theme: 'light', palette: 'colour_blind' }, { density: 'compact' }, { density: 'huge' }]) {
      vi.resetModules()
      localStorage.setItem(key, JSON.stringify(stored))
      new Function(script)()
      const early = { ...document.documentElement.dataset }
      await load()
      expect({ ...document.documentElement.dataset }).toEqual(early)
    }
  })
})
