/** Days as people choose them, and the stretch of time that they mean: from the beginning of the first to the end of the last, in UTC. */
import type { Instrument } from '@/api/market'

export interface Days {
  from: string
  /** Empty means until now. */
  to: string
}

export type Preset = 'month' | 'quarter' | 'year' | 'five' | 'all'

export const presets: { value: Preset, label: string }[] = [
  { value: 'month', label: '1 month' },
  { value: 'quarter', label: '3 months' },
  { value: 'year', label: '1 year' },
  { value: 'five', label: '5 years' },
  { value: 'all', label: 'All' },
]

const months: Record<Exclude<Preset, 'all'>, number> = { month: 1, quarter: 3, year: 12, five: 60 }
const beforeMost = '2000-01-01'

/** Where the first bar is not known, all begins with the century. */
export function presetDays(preset: Preset, now: Date, firstBar: Instrument['first_bar'] = null): Days {
  if (preset === 'all') return { from: firstBar?.slice(0, 10) ?? beforeMost, to: '' }
  const day = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months[preset], 1))
  const last = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate()
  day.setUTCDate(Math.min(now.getUTCDate(), last))
  return { from: day.toISOString().slice(0, 10), to: '' }
}

/** Which of them these days are. */
export function presetOf({ from, to }: Days, now: Date, firstBar: Instrument['first_bar'] = null): Preset | undefined {
  return presets.find(({ value }) => {
    const days = presetDays(value, now, firstBar)
    return days.from === from && days.to === to
  })?.value
}

export interface DayProblems {
  from?: string
  to?: string
}

export function problemsOf({ from, to }: Days, now: Date): DayProblems {
  const today = now.toISOString().slice(0, 10)
  if (!isDay(from)) return { from: 'Choose the first day.' }
  if (from > today) return { from: `It lies in the future: today is ${today}.` }
  if (to !== '' && !isDay(to)) return { to: 'This is no day. Leave it empty for until now.' }
  if (to !== '' && to < from) return { to: `It lies before the first day, ${from}.` }
  return {}
}

export function spanOf({ from, to }: Days): { start: string, end?: string } {
  const start = `${from}T00:00:00Z`
  return to === '' ? { start } : { start, end: `${dayAfter(to)}T00:00:00Z` }
}

export function isDay(text: string) {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text)
}

function dayAfter(day: string) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
}
