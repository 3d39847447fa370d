/** The tokens of the look as a canvas needs them, read where the chart stands and again when the theme changes. */
import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

const tokens = ['surface', 'raised', 'text', 'muted', 'faint', 'border', 'control', 'accent', 'gain', 'loss', 'warn',
  'series-1', 'series-2', 'series-3', 'series-4'] as const
export type Token = typeof tokens[number]
export type Colours = Readonly<Record<Token, string>>

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element)
  return Object.fromEntries(tokens.map((token) => [token, style.getPropertyValue(`--${token}`).trim()])) as Colours
}

/** Follows theme and palette of the whole page and of whatever the chart stands in. */
export function useColours(element: Readonly<Ref<Element | null>>) {
  const colours = shallowRef<Colours | null>(null)
  const observer = new MutationObserver(read)
  function read() {
    if (element.value === null) return
    const now = coloursOf(element.value)
    // The same colours anew would draw everything again.
    if (tokens.some((token) => now[token] !== colours.value?.[token])) colours.value = now
  }
  watch(element, (now) => {
    observer.disconnect()
    if (now === null) return
    const watched = { attributes: true, attributeFilter: ['data-theme', 'data-palette'] }
    for (let each: Element | null = now.closest('[data-theme]'); each !== null; each = each.parentElement?.closest('[data-theme]') ?? null) {
      observer.observe(each, watched)
    }
    read()
  }, { immediate: true, flush: 'post' })
  onScopeDispose(() => { observer.disconnect() })
  return colours
}

/** Through a hexadecimal colour shines what lies behind it. */
export function sheer(colour: string, share: number) {
  const digits = /^#([0-9a-f]{6})$/i.exec(colour)?.[1]
  if (digits === undefined) return colour
  const [red, green, blue] = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16))
  return `rgba(${red}, ${green}, ${blue}, ${share})`
}

export interface SeriesLook {
  token: Token
  /** Lengths of strokes and pauses; none for a whole line. */
  dash: readonly number[]
  /** 0 solid, 1 dotted, 2 dashed, 3 long dashes, 4 sparse dots: as the chart library counts. */
  style: 0 | 1 | 2 | 3 | 4
}

const seriesTokens = ['series-1', 'series-2', 'series-3', 'series-4'] as const
const strokes = [
  { style: 0, dash: [] }, { style: 2, dash: [6, 4] }, { style: 1, dash: [2, 2] }, { style: 3, dash: [12, 4] }, { style: 4, dash: [2, 8] },
] as const

/** Twenty series that differ: four colours, then the same four with other strokes. */
export function seriesLook(at: number): SeriesLook {
  const stroke = strokes[Math.floor(at / seriesTokens.length) % strokes.length] ?? strokes[0]
  return { token: seriesTokens[at % seriesTokens.length] ?? 'series-1', ...stroke }
}
