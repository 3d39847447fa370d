/** Scales that several rows share. */
import type { Interval } from '@/api/modelCards'

/** From the least to the largest of all of them, with what means nothing in it, and a little room. */
export function scaleOf(intervals: readonly (Interval | number | null | undefined)[], nothing: number): [number, number] {
  const values = [nothing, ...intervals.flatMap((one) => {
    if (one === null || one === undefined) return []
    return typeof one === 'number' ? [one] : [one.low, one.value, one.high].filter((value) => value !== null)
  })]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const room = (high - low || 0.01) * 0.08
  return [low - room, high + room]
}
