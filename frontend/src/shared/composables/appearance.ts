/** Theme, palette and density of this browser: kept locally so that it holds before sign-in and before the first paint. */
import { computed, reactive, readonly, watch } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
export type Palette = 'default' | 'colour_blind'
export type Density = 'comfortable' | 'compact' | 'spacious'

export interface Appearance {
  theme: Theme
  palette: Palette
  density: Density
}

// public/appearance.js reads the same key before the first paint.
const storageKey = 'tidemark.appearance'
const standard: Appearance = { theme: 'system', palette: 'default', density: 'comfortable' }
const known: { [K in keyof Appearance]: readonly Appearance[K][] } = {
  theme: ['system', 'light', 'dark'],
  palette: ['default', 'colour_blind'],
  density: ['comfortable', 'compact', 'spacious'],
}
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)')
const system = reactive({ dark: prefersDark.matches })
const appearance = reactive<Appearance>({ ...standard, ...stored() })

const isDark = computed(() => appearance.theme === 'dark' || (appearance.theme === 'system' && system.dark))

prefersDark.addEventListener('change', (event) => { system.dark = event.matches })
window.addEventListener('storage', (event) => {
  if (event.key === storageKey) Object.assign(appearance, standard, stored())
})

watch([isDark, appearance], () => {
  const { dataset } = document.documentElement
  dataset.theme = isDark.value ? 'dark' : 'light'
  dataset.palette = appearance.palette
  dataset.density = appearance.density
}, { immediate: true, flush: 'sync' })

export function useAppearance() {
  return { appearance: readonly(appearance), isDark, choose, isStandard: () => sameAs(standard) }
}

function choose(change: Partial<Appearance>) {
  Object.assign(appearance, change)
  if (sameAs({ ...standard, ...stored() })) return
  try {
    localStorage.setItem(storageKey, JSON.stringify(appearance))
  } catch {
    // Storage may be full or forbidden: the choice then holds until the page is closed.
  }
}

function sameAs(other: Appearance) {
  return (Object.keys(standard) as (keyof Appearance)[]).every((key) => appearance[key] === other[key])
}

function stored(): Partial<Appearance> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storageKey) ?? '{}')
    const entries = Object.entries(value ?? {}).filter(([key, choice]) => isKnown(key, choice))
    return Object.fromEntries(entries)
  } catch {
    return {}
  }
}

function isKnown(key: string, choice: unknown) {
  return key in known && (known[key as keyof Appearance] as readonly unknown[]).includes(choice)
}
