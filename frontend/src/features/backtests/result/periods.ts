/** Returns by year, and trades by what they have in common. */
import type { Figures, Group } from '@/api/backtestResults'

export interface YearReturn {
  year: string
  value: number
}

/** The months of a year, one after the other. */
export function yearsOf(months: Figures['months']): YearReturn[] {
  const years = new Map<string, number>()
  for (const { month, value } of months) {
    const year = month.slice(0, 4)
    years.set(year, (years.get(year) ?? 1) * (1 + value))
  }
  return [...years].map(([year, growth]) => ({ year, value: growth - 1 }))
}

export const groupTitles: Record<string, { title: string, what: string }> = {
  weekday: { title: 'By weekday of the exit', what: 'Weekday' },
  hour: { title: 'By hour of the exit, UTC', what: 'Hour' },
  month: { title: 'By month of the exit', what: 'Month' },
  year: { title: 'By year of the exit', what: 'Year' },
  side: { title: 'By side', what: 'Side' },
  exit_reason: { title: 'By how they ended', what: 'Ended by' },
}

export interface GroupRow extends Group {
  winRate: number | null
  /** Of all profit and loss, how much: the longest bar is 1. */
  share: number
}

export function groupRows(groups: readonly Group[]): GroupRow[] {
  const reach = Math.max(...groups.map(({ pnl }) => Math.abs(pnl)), 1e-12)
  return groups.map((group) => ({ ...group, winRate: group.count === 0 ? null : group.won / group.count, share: group.pnl / reach }))
}
