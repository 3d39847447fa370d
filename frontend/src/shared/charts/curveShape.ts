/** A curve as an SVG path: across the whole time of the run, so that it grows towards its end. */

export type Curve = readonly (readonly [at: number, value: number, ...more: number[]])[]

export interface CurveShape {
  line: string
  /** Closed down to the floor. */
  area: string
  low: number
  high: number
}

interface Box { width: number, height: number, start?: number, end?: number }

/** Times are seconds. Without an end the curve fills the width. */
export function shapeOf(curve: Curve, { width, height, start, end }: Box): CurveShape | null {
  const first = start ?? curve[0]?.[0]
  const last = end ?? curve.at(-1)?.[0]
  if (curve.length < 2 || first === undefined || last === undefined || last <= first) return null
  const values = curve.map(([, value]) => value)
  const low = Math.min(...values)
  const high = Math.max(...values)
  const room = high - low
  const x = (at: number) => round(Math.min(1, Math.max(0, (at - first) / (last - first))) * width)
  const y = (value: number) => round(room === 0 ? height / 2 : (high - value) / room * height)
  const points = curve.map(([at, value]) => `${x(at)} ${y(value)}`)
  const line = `M${points.join('L')}`
  return { line, area: `${line}L${x(curve.at(-1)?.[0] ?? last)} ${height}L${x(curve[0]?.[0] ?? first)} ${height}Z`, low, high }
}

function round(number: number) {
  return Math.round(number * 10) / 10
}
