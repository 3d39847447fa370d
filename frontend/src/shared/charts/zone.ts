/** The time axis in a time zone: days begin at its midnight, and labels say its hours. */
import { defaultHorzScaleBehavior, type TickMarkType, type Time, type TimeScalePoint } from 'lightweight-charts'
import { date, dateTime, time } from '../format'
import { offsetsOf, type Offsets } from './offsets'

const day = 86_400_000
const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
type Point = { -readonly [Key in keyof TimeScalePoint]: TimeScalePoint[Key] }

/** The times of the chart stay UTC, so that none repeats when clocks go back; only the weights of its ticks are local. */
export class ZonedScale extends defaultHorzScaleBehavior() {
  private offsets: Offsets | null = null

  constructor(private readonly zone: string) { super() }

  override fillWeightsForPoints(points: readonly Point[], start: number) {
    if (this.zone === 'UTC' || points.length === 0) { super.fillWeightsForPoints(points, start); return }
    const from = Math.max(0, start - 1)
    const local = points.slice(from).map((point) => ({ ...point, time: this.localTime(point, points) }))
    super.fillWeightsForPoints(local, start - from)
    for (let at = start; at < points.length; at += 1) {
      const [point, weighed] = [points[at], local[at - from]]
      if (point !== undefined && weighed !== undefined) point.timeWeight = weighed.timeWeight
    }
  }

  private localTime(point: Point, points: readonly Point[]) {
    const [first, seconds, last] = [points[0], point, points.at(-1)].map((one) => one?.originalTime as number) as [number, number, number]
    this.offsets = offsetsOf(this.zone, first * 1_000, last * 1_000, this.offsets)
    return this.convertHorzItemToInternal((seconds + this.offsets.at(seconds * 1_000) / 1_000) as Time)
  }
}

/** Bars of a day or more stand for a session's date, which is the same everywhere. */
export function zoneFor(rhythm: number, zone: string) {
  return rhythm >= day ? 'UTC' : zone
}

export function momentText(milliseconds: number, rhythm: number, zone: string) {
  const instant = new Date(milliseconds)
  if (rhythm >= day) return date(instant)
  return dateTime(instant, zone, rhythm % 60_000 === 0 ? 'minute' : 'second')
}

// As the chart library counts the kinds of its ticks.
const [yearTick, monthTick, dayTick, minuteTick] = [0, 1, 2, 3]

export function tickText(milliseconds: number, type: TickMarkType, zone: string) {
  const instant = new Date(milliseconds)
  const [year = '', month = '', dayOfMonth = ''] = date(instant, zone).split('-')
  const kind = type as number
  if (kind === yearTick) return year
  if (kind === monthTick) return monthNames[Number(month) - 1] ?? month
  if (kind === dayTick) return String(Number(dayOfMonth))
  return time(instant, zone, kind === minuteTick ? 'minute' : 'second').split(' ')[0] ?? ''
}
