/** Monthly returns by year, and what a year made of them. */
import { isNumber } from './bars'
import type { MonthReturn } from './types'

export interface YearRow {
  year: number
  /** January to December. */
  months: (number | null)[]
  /** Compounded; null when no month is known. */
  total: number | null
}

export function yearsOf(returns: readonly MonthReturn[]): YearRow[] {
  const years = new Map<number, (number | null)[]>()
  for (const { year, month, value } of returns) {
    const months = years.get(year) ?? Array.from({ length: 12 }, () => null)
    years.set(year, months)
    if (month >= 1 && month <= 12) months[month - 1] = isNumber(value) ? value : null
  }
  return [...years].sort(([a], [b]) => a - b).map(([year, months]) => ({ year, months, total: compounded(months) }))
}

export function compounded(months: readonly (number | null)[]): number | null {
  const known = months.filter(isNumber)
  return known.length === 0 ? null : known.reduce((product, value) => product * (1 + value), 1) - 1
}

/** How deep a shade is, from 0 to 1: against the largest move but a few, so that one wild month does not pale all others. */
export function shadesOf(returns: readonly (number | null)[]): (value: number) => number {
  const sizes = returns.filter(isNumber).map(Math.abs).sort((a, b) => a - b)
  const most = sizes[Math.floor((sizes.length - 1) * 0.95)] ?? 0
  return (value) => (most === 0 ? 0 : Math.min(1, Math.abs(value) / most))
}
