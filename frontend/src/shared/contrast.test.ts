/** Reads styles/tokens.css and holds every pair that meets on screen to WCAG AA, in both themes and palettes. */
import { describe, expect, it } from 'vitest'
import css from '../styles/tokens.css?raw'

type Tokens = Record<string, string>

function block(selector: string): Tokens {
  const start = css.indexOf(selector)
  expect(start, `${selector} in tokens.css`).toBeGreaterThanOrEqual(0)
  const body = css.slice(css.indexOf('{', start) + 1, css.indexOf('}', start))
  return Object.fromEntries([...body.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6})\s*;/gi)].map(([, name, hex]) => [name, hex]))
}

function channels(hex: string): [number, number, number] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as [number, number, number]
}

function luminance([r, g, b]: [number, number, number]): number {
  const [red, green, blue] = [r, g, b].map((channel) => {
    const part = channel / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(front: [number, number, number], back: [number, number, number]): number {
  const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

/** `front` at `share` over `back`, as a tinted badge is drawn. */
function tint(front: string, back: string, share: number): [number, number, number] {
  const under = channels(back)
  return channels(front).map((channel, at) => channel * share + (under[at] ?? 0) * (1 - share)) as [number, number, number]
}

const light = block('[data-theme=\'light\']')
const dark = block('[data-theme=\'dark\']')
const themes: [string, Tokens][] = [
  ['light', light],
  ['dark', dark],
  ['light, colour-blind', { ...light, ...block('[data-palette=\'colour_blind\'][data-theme=\'light\']') }],
  ['dark, colour-blind', { ...dark, ...block('[data-palette=\'colour_blind\'][data-theme=\'dark\']') }],
]
const words = ['text', 'muted', 'faint', 'accent', 'gain', 'loss', 'warn', 'error']
const tinted = ['accent', 'gain', 'loss', 'warn', 'error']
const surfaces = ['bg', 'surface', 'raised']

describe.each(themes)('contrast in %s', (_name, tokens) => {
  const of = (name: string) => tokens[name] ?? expect.fail(`no token ${name}`)

  it.each(words.flatMap((word) => surfaces.map((surface) => [word, surface] as const)))('reads %s on %s', (word, surface) => {
    expect(contrast(channels(of(word)), channels(of(surface)))).toBeGreaterThanOrEqual(4.5)
  })

  it.each(tinted.flatMap((word) => surfaces.map((surface) => [word, surface] as const)))('reads a badge in %s on %s', (word, surface) => {
    expect(contrast(channels(of(word)), tint(of(word), of(surface), 0.08))).toBeGreaterThanOrEqual(4.5)
  })

  it.each([['on-accent', 'accent'], ['bg', 'error'], ['bg', 'text']])('reads %s on a button in %s', (word, fill) => {
    expect(contrast(channels(of(word)), channels(of(fill)))).toBeGreaterThanOrEqual(4.5)
  })

  it.each(['control', 'accent', 'error'].flatMap((line) => surfaces.map((surface) => [line, surface] as const)))(
    'sees the outline %s on %s',
    (line, surface) => {
      expect(contrast(channels(of(line)), channels(of(surface)))).toBeGreaterThanOrEqual(3)
    },
  )

  it('keeps loss apart from error, and gain from loss', () => {
    expect(of('loss')).not.toBe(of('error'))
    expect(of('gain')).not.toBe(of('loss'))
  })
})
