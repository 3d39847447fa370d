/** Instants as people read them: always with their zone, and the same in backend/domain/format.py. */
import { MINUS, MISSING } from './decimal'

/** An RFC 3339 time with an offset, or a Date; a text without an offset is not an instant. */
export type Instant = string | Date | null | undefined

const RFC3339
  = /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$/

/** `2026-11-20 15:32:10 UTC+1`; by the minute when seconds say nothing. */
export function dateTime(instant: Instant, zone = 'UTC', precision: 'second' | 'minute' = 'second'): string {
  const wall = wallClock(instant, zone)
  return wall === null ? MISSING : `${wall.date} ${wall.clock(precision)} ${wall.offset}`
}

/** `15:32:10 UTC+1`. */
export function time(instant: Instant, zone = 'UTC', precision: 'second' | 'minute' = 'second'): string {
  const wall = wallClock(instant, zone)
  return wall === null ? MISSING : `${wall.clock(precision)} ${wall.offset}`
}

/** `2026-11-20`, the day it is in that zone. */
export function date(instant: Instant, zone = 'UTC'): string {
  return wallClock(instant, zone)?.date ?? MISSING
}

/** `2026-11-20T14:32:10Z`: what exports carry, milliseconds only where there are some. */
export function isoUtc(instant: Instant): string {
  const at = parseInstant(instant)
  return at === null ? MISSING : at.toISOString().replace('.000Z', 'Z')
}

/** `12 s ago`, `in 5 min`; a date once it is 30 days away. */
export function relativeTime(instant: Instant, now: Instant): string {
  const at = parseInstant(instant)
  const from = parseInstant(now)
  if (at === null || from === null) return MISSING
  const away = Math.floor(Math.abs(from.getTime() - at.getTime()) / 1000)
  if (away < 5) return 'just now'
  if (away >= 30 * 86400) return date(at)
  const text = distance(away)
  return at < from ? `${text} ago` : `in ${text}`
}

/** The instant, or null for what is none: wrong shape, no offset, a day that does not exist. */
export function parseInstant(instant: Instant): Date | null {
  if (instant === null || instant === undefined) return null
  if (instant instanceof Date) return Number.isNaN(instant.getTime()) ? null : instant
  const match = RFC3339.exec(instant)
  if (match === null) return null
  const [year, month, day] = match.slice(1, 4).map(Number) as [number, number, number]
  const civil = new Date(Date.UTC(year, month - 1, day))
  if (year < 1 || civil.getUTCMonth() !== month - 1 || civil.getUTCDate() !== day) return null
  const parsed = new Date(instant.toUpperCase().replace(' ', 'T'))
  return Number.isNaN(parsed.getTime()) ? null : parsed
}

function distance(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} d`
}

interface WallClock {
  date: string
  offset: string
  clock: (precision: 'second' | 'minute') => string
}

function wallClock(instant: Instant, zone: string): WallClock | null {
  const at = parseInstant(instant)
  if (at === null) return null
  const parts = Object.fromEntries(clockOf(zone).formatToParts(at).map(({ type, value }) => [type, value]))
  return {
    date: `${parts.year?.padStart(4, '0')}-${parts.month}-${parts.day}`,
    offset: offsetName(parts.timeZoneName ?? ''),
    clock: (precision) => `${parts.hour}:${parts.minute}${precision === 'second' ? `:${parts.second}` : ''}`,
  }
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** One formatter a zone, since making one costs more than a screen of cells; an unknown zone reads as UTC. */
function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone)
  if (known !== undefined) return known
  const made = makeClock(zone)
  clocks.set(zone, made)
  return made
}

function makeClock(zone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  }
  try {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone: zone })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'UTC' })
  }
}

/** `GMT+05:30` as `UTC+5:30`, `GMT-08:00` as `UTC−8`, `GMT` as `UTC`. */
function offsetName(longOffset: string): string {
  const match = /^GMT([+-])([0-9]{2}):([0-9]{2})/.exec(longOffset.replace(MINUS, '-'))
  if (match === null) return 'UTC'
  const [, sign, hours, minutes] = match
  if (hours === '00' && minutes === '00') return 'UTC'
  const tail = minutes === '00' ? '' : `:${minutes}`
  return `UTC${sign === '-' ? MINUS : '+'}${Number(hours)}${tail}`
}
