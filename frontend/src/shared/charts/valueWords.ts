/** Numbers of a chart by what they are. */
import { change, compact, fixed, money, percent, price } from '../format'
import { tickOf } from './bars'
import type { ValueKind } from './types'

export function valueWords(value: number | null | undefined, kind: ValueKind, currency = 'USD'): string {
  if (kind === 'money') return money(value, currency)
  if (kind === 'percent') return change(value)
  return kind === 'ratio' ? fixed(value, 2) : price(value, tickOf([value ?? null]))
}

/** Shorter, for an axis. */
export function axisWords(value: number, kind: ValueKind): string {
  if (kind === 'percent') return percent(value, Math.abs(value) < 0.1 && value !== 0 ? 1 : 0)
  return kind === 'ratio' ? fixed(value, 2) : compact(value)
}
