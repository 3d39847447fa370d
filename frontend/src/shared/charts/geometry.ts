/** How the chart maps bars and prices to pixels, read once a frame. */
import type { Logical, SeriesAttachedParameter, Time } from 'lightweight-charts'
import type { Geometry } from './markLayout'

export function geometryOf({ chart, series }: SeriesAttachedParameter<Time>, width: number): Geometry | null {
  const scale = chart.timeScale()
  const range = scale.getVisibleLogicalRange()
  const origin = scale.logicalToCoordinate(0 as Logical)
  const thousand = scale.logicalToCoordinate(1_000 as Logical)
  if (range === null || origin === null || thousand === null) return null
  const spacing = (thousand - origin) / 1_000
  return { width, first: range.from, last: range.to, x: (bar) => origin + bar * spacing, y: (price) => series.priceToCoordinate(price) }
}
