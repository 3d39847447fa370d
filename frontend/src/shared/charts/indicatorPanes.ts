/** Which indicator is drawn where, and how its lines look. */
import { fixed, price } from '../format'
import { tickOf } from './bars'
import { seriesLook, type SeriesLook } from './colours'
import type { Indicator, IndicatorLine } from './types'

export const mostPanes = 4

export interface PlacedLine {
  indicator: Indicator
  line: IndicatorLine
  pane: number
  look: SeriesLook
}

export interface Arrangement {
  lines: PlacedLine[]
  /** Names of the panes beneath the price. */
  panes: string[]
  /** Indicators for which there was no pane left. */
  left: string[]
}

/** The first four panes in the order given; colours begin anew in each pane. */
export function arranged(indicators: readonly Indicator[]): Arrangement {
  const own = [...new Set(indicators.map(({ pane }) => pane).filter((pane) => pane !== 'price' && pane !== 'volume'))]
  const panes = own.slice(0, mostPanes)
  const used = new Map<number, number>()
  const lines: PlacedLine[] = []
  const left: string[] = []
  for (const indicator of indicators) {
    const pane = panes.indexOf(indicator.pane) + 1
    if (pane === 0 && own.includes(indicator.pane)) { left.push(indicator.name); continue }
    for (const line of indicator.lines) {
      const place = used.get(pane) ?? 0
      used.set(pane, place + 1)
      lines.push({ indicator, line, pane, look: seriesLook(place) })
    }
  }
  return { lines, panes, left }
}

/** Two arrangements of one shape take the same series on the canvas; only their values differ. */
export function shapeOf({ lines }: Arrangement) {
  return JSON.stringify(lines.map(({ indicator, line, pane }) => {
    return [indicator.pane, indicator.levels, indicator.scale, indicator.decimals, pane, line.name, line.style]
  }))
}

export function valueText(value: number | null | undefined, decimals?: number) {
  return decimals === undefined ? price(value, tickOf([value ?? null])) : fixed(value, decimals)
}
