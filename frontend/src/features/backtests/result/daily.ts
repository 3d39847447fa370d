/** The equity as days, drawdowns and rolling figures: what the tabs draw beside the figures of the run. */
import type { TableRead } from '@/api/backtestResults'

export interface EquityRows {
  ts: number[]
  equity: number[]
  benchmark: number[]
  exposure: number[]
}

export interface Days {
  /** The start of each UTC day, in milliseconds. */
  day: number[]
  equity: number[]
  benchmark: number[]
  /** Against the day before; the first against the start. */
  returns: number[]
}

export interface Drawdown {
  peak: number
  trough: number
  /** When the peak was reached again; null while it is not. */
  recovered: number | null
  /** -0.12 is 12 % below the peak. */
  depth: number
  days: number
}

const dayLength = 86_400_000

export function equityRows({ columns }: TableRead): EquityRows {
  const numbers = (name: string) => (columns[name] ?? []).map((value) => (typeof value === 'number' ? value : Number.NaN))
  const ts = (columns.ts ?? []).map((value) => Date.parse(String(value)))
  return { ts, equity: numbers('equity'), benchmark: numbers('benchmark'), exposure: numbers('exposure') }
}

/** What there was at the end of each UTC day. */
export function daysOf({ ts, equity, benchmark }: EquityRows, start: number): Days {
  const days: Days = { day: [], equity: [], benchmark: [], returns: [] }
  for (let row = 0; row < ts.length; row += 1) {
    const day = Math.floor((ts[row] ?? 0) / dayLength) * dayLength
    const next = row + 1 < ts.length ? Math.floor((ts[row + 1] ?? 0) / dayLength) * dayLength : Infinity
    if (next === day) continue
    const before = days.equity.at(-1) ?? start
    days.day.push(day)
    days.equity.push(equity[row] ?? Number.NaN)
    days.benchmark.push(benchmark[row] ?? Number.NaN)
    days.returns.push(before > 0 ? (equity[row] ?? Number.NaN) / before - 1 : Number.NaN)
  }
  return days
}

/** Every fall below a peak, the deepest first. The start is a peak too. */
export function drawdownsOf({ day, equity }: Pick<Days, 'day' | 'equity'>, start: number): Drawdown[] {
  const found: Drawdown[] = []
  let [peak, peakDay] = [start, (day[0] ?? 0) - dayLength]
  let low: { day: number, equity: number } | null = null
  equity.forEach((value, at) => {
    const now = day[at] ?? 0
    if (value >= peak) {
      if (low !== null) found.push({ ...fall(peakDay, peak, low, now), recovered: now })
      low = null
      peak = value
      peakDay = now
    } else if (low === null || value < low.equity) {
      low = { day: now, equity: value }
    }
  })
  const open = low as { day: number, equity: number } | null
  if (open !== null) {
    found.push({ ...fall(peakDay, peak, open, day.at(-1) ?? 0), recovered: null })
  }
  return found.sort((one, two) => one.depth - two.depth)
}

function fall(day: number, peak: number, low: { day: number, equity: number }, end: number) {
  return { peak: day, trough: low.day, depth: low.equity / peak - 1, days: daysBetween(day, end) }
}

export interface Rolling {
  day: number[]
  volatility: (number | null)[]
  sharpe: (number | null)[]
  /** The return over the window. */
  change: (number | null)[]
}

/** Over the last so many days, one value a day; null until there are so many, and where nothing moved. */
export function rollingOf({ day, returns, equity }: Days, window: number, start: number): Rolling {
  const periods = periodsAYear(day)
  const rolling: Rolling = { day, volatility: [], sharpe: [], change: [] }
  returns.forEach((_, at) => {
    const part = returns.slice(Math.max(0, at + 1 - window), at + 1)
    const isFull = at + 1 >= window && part.every(Number.isFinite)
    const mean = part.reduce((sum, one) => sum + one, 0) / part.length
    const spread = Math.sqrt(part.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (part.length - 1))
    const before = at + 1 > window ? equity[at - window] ?? Number.NaN : start
    rolling.volatility.push(isFull ? spread * Math.sqrt(periods) : null)
    rolling.sharpe.push(isFull && spread > 1e-13 ? mean / spread * Math.sqrt(periods) : null)
    rolling.change.push(isFull && before > 0 ? (equity[at] ?? Number.NaN) / before - 1 : null)
  })
  return rolling
}

/** 365 where every day trades, 252 where weekends do not. */
export function periodsAYear(day: readonly number[]): number {
  return day.some((one) => [0, 6].includes(new Date(one).getUTCDay())) ? 365 : 252
}

function daysBetween(first: number, last: number) {
  return Math.round((last - first) / dayLength)
}
