/** On which bars something is run: provider, symbols, timeframe and days, as people fill them in. */
import type { Adjustment, Timeframe } from '@/api/market'
import { type Days, isDay, spanOf } from './dayRange'

export interface MarketForm extends Days {
  provider: string
  symbols: string[]
  timeframe: Timeframe
  adjustment: Adjustment
  /** The moments of an earlier run, for as long as nobody chooses other days. */
  exactly: (Days & { start: string | null, end: string | null }) | null
}

export interface MarketProblems {
  symbols?: string
  from?: string
  to?: string
}

export function momentsOf(form: MarketForm): { start: string | null, end: string | null } {
  const { exactly } = form
  if (exactly?.from === form.from && exactly.to === form.to) return { start: exactly.start, end: exactly.end }
  if (form.from === '') return { start: null, end: form.to === '' ? null : spanOf({ from: form.to, to: form.to }).end ?? null }
  const { start, end } = spanOf(form)
  return { start, end: end ?? null }
}

/** From the moments of a stored run. */
export function daysFrom({ start, end }: Record<string, unknown>): Pick<MarketForm, 'from' | 'to' | 'exactly'> {
  const moments = { start: typeof start === 'string' ? start : null, end: typeof end === 'string' ? end : null }
  const from = moments.start?.slice(0, 10) ?? ''
  const to = moments.end === null ? '' : new Date(Date.parse(moments.end) - 1).toISOString().slice(0, 10)
  return { from, to, exactly: { from, to, ...moments } }
}

/** What is plain to see before the server is asked. */
export function marketProblems(form: MarketForm, now: Date): MarketProblems {
  const today = now.toISOString().slice(0, 10)
  const { from, to } = form
  return {
    ...(form.symbols.length === 0 ? { symbols: 'Choose at least one symbol.' } : {}),
    ...(from !== '' && !isDay(from) ? { from: 'This is no day.' } : {}),
    ...(isDay(from) && from > today ? { from: `It lies in the future: today is ${today}.` } : {}),
    ...(to !== '' && !isDay(to) ? { to: 'This is no day. Leave it empty for until now.' } : {}),
    ...(isDay(to) && isDay(from) && to < from ? { to: `It lies before the first day, ${from}.` } : {}),
  }
}
