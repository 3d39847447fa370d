/** What the form of an import says, and how a corrected reading is put together. */
import type { Preview, Reading, TimeStyle } from '@/api/barFiles'

export type Part = 'open' | 'high' | 'low' | 'close' | 'volume'
export const parts: readonly Part[] = ['open', 'high', 'low', 'close', 'volume']
export const partNames: Record<Part | 'time' | 'time_of_day', string> = {
  time: 'Time', time_of_day: 'Time of day', open: 'Open', high: 'High', low: 'Low', close: 'Close', volume: 'Volume',
}

export const styleNames: Record<TimeStyle, string> = {
  iso: 'Year first, 2026-01-31',
  day_first: 'Day first, 31.01.2026',
  month_first: 'Month first, 01/31/2026',
  epoch_s: 'Seconds since 1970',
  epoch_ms: 'Milliseconds since 1970',
  epoch_us: 'Microseconds since 1970',
  epoch_ns: 'Nanoseconds since 1970',
}

export const calendars = [
  { value: '24/7', label: 'Always open (crypto)' },
  { value: '24/5', label: 'Five days a week (currencies)' },
  { value: 'XNYS', label: 'New York (NYSE, Nasdaq)' },
  { value: 'XLON', label: 'London' },
  { value: 'XETR', label: 'Frankfurt (Xetra)' },
  { value: 'XPAR', label: 'Paris' },
  { value: 'XTKS', label: 'Tokyo' },
  { value: 'XHKG', label: 'Hong Kong' },
] as const

/** A column of the file for a part of a bar; an empty name takes it out. */
export function withColumn(reading: Reading, part: Part, column: string): Reading {
  const columns = Object.fromEntries(Object.entries({ ...reading.columns, [part]: column }).filter(([, name]) => name !== ''))
  return { ...reading, columns }
}

/** Which parts nobody has named yet; without them no row is a bar. */
export function lackingIn({ columns, time }: Reading): string[] {
  const named = parts.filter((part) => part !== 'volume' && columns[part] === undefined).map((part) => partNames[part])
  return time === '' ? [partNames.time, ...named] : named
}

/** What a column of the file is read as: `Time`, `Open`, or nothing. */
export function roleOf(column: string, { columns, time, time_of_day: hour }: Reading): string {
  if (column === time) return partNames.time
  if (column === hour) return partNames.time_of_day
  const part = parts.find((one) => columns[one] === column)
  return part === undefined ? '' : partNames[part]
}

/** A name for the series out of the name of its file: letters, digits and what a symbol may hold. */
export function symbolOf(fileName: string): string {
  const bare = fileName.replace(/\.[A-Za-z0-9]+$/, '').replaceAll(/[^A-Za-z0-9._:/^=-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '')
  return bare.toUpperCase().slice(0, 40)
}

/** `line 18`, or by its place among the rows where the line cannot be told. */
export function placeOf({ line, row }: Preview['bad'][number]): string {
  return line === null ? `row ${row + 1}` : `line ${line}`
}

export function zones(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]
}
