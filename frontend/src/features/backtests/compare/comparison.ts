/** Runs side by side: what their differences mean, in words and in rows. */
import type { Comparison } from '@/api/backtestResults'
import { MISSING } from '@/shared/format'
import { factOf } from '../result/configDiff'
import { howOf, statisticGroups, written } from '../result/statistics'

export interface MetricRow {
  name: string
  label: string
  group: string
  texts: string[]
  /** Why one is not there. */
  reasons: string[]
  differs: boolean
  /** The places of the best, where more or less of it is better and they are not all the same. */
  best: number[]
}

const moreIsBetter = new Set([
  'total_return', 'cagr', 'sharpe', 'sortino', 'calmar', 'omega', 'alpha', 'information_ratio', 'win_rate', 'profit_factor', 'net_profit',
  'expectancy', 'payoff', 'mean_trade', 'median_trade', 'sqn', 'max_drawdown', 'worst_day', 'var_95', 'cvar_95', 'end_equity', 'break_even_bps',
])
const lessIsBetter = new Set([
  'volatility', 'longest_under_water_days', 'time_under_water', 'max_drawdown_days', 'costs_of_gross_profit', 'longest_loss_streak',
])

/** In the groups and the order of a single result. */
export function metricRows({ metrics, runs }: Comparison): MetricRow[] {
  const known = Object.entries(statisticGroups).flatMap(([group, all]) => Object.keys(all).map((name) => ({ group, name })))
  const named = new Map(metrics.map((metric) => [metric.name, metric]))
  const listed = new Set(known.map(({ name }) => name))
  const others = metrics.filter(({ name }) => !listed.has(name)).map(({ name }) => ({ group: 'More', name }))
  return [...known, ...others].flatMap(({ group, name }) => {
    const metric = named.get(name)
    if (metric === undefined) return []
    const [label, kind] = howOf(name)
    return [{
      name, label, group, differs: metric.differs,
      texts: metric.values.map((value, at) => (value === null ? MISSING : written(value, kind, runs[at]?.currency ?? ''))),
      reasons: metric.missing.map((reason) => reason ?? ''),
      best: bestOf(name, metric.values),
    }]
  })
}

export function bestOf(name: string, values: readonly (number | string | null)[]): number[] {
  const sign = moreIsBetter.has(name) ? 1 : lessIsBetter.has(name) ? -1 : 0
  const numbers = values.flatMap((value) => (typeof value === 'number' ? [value * sign] : []))
  if (sign === 0 || new Set(numbers).size < 2) return []
  const most = Math.max(...numbers)
  return values.flatMap((value, at) => (typeof value === 'number' && value * sign === most ? [at] : []))
}

export interface SettingRow {
  path: string
  group: string
  name: string
  texts: string[]
}

export function settingRows({ config }: Comparison): SettingRow[] {
  return config.map(({ path, values }) => {
    const place = path.replaceAll('.', '/')
    const facts = values.map((value) => factOf(place, place === 'series' ? seriesText(value) : value))
    return { path, group: facts[0]?.group ?? '', name: facts[0]?.name ?? path, texts: facts.map(({ text }) => text) }
  })
}

function seriesText(value: unknown) {
  if (!Array.isArray(value)) return value
  return (value as Record<string, string>[]).map((one) => `${one.symbol ?? ''} ${one.timeframe ?? ''}`).join(', ')
}

/** What an interval of the difference says, so that nobody has to know what 0 inside of it means. */
export function meaningOf(low: number, high: number): { word: string, sure: boolean } {
  if (low > 0) return { word: 'Better', sure: true }
  if (high < 0) return { word: 'Worse', sure: true }
  return { word: 'May be chance', sure: false }
}

/** So much of a name as tells runs apart in the head of a column. */
export function shortName(name: string, at: number) {
  return `${at + 1}. ${name.length <= 28 ? name : `${name.slice(0, 26)}…`}`
}

export function idsIn(value: unknown, most: number): { ids: string[], dropped: number } {
  const text = Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : ''
  const all = [...new Set(text.split(',').map((id) => id.trim()).filter((id) => id !== ''))]
  return { ids: all.slice(0, most), dropped: Math.max(0, all.length - most) }
}
