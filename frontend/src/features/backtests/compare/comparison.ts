/** Runs side by side: what their differences mean, in words and in rows. */
import type { Comparison } from '@/api/backtestResults'
import { date, MISSING } from '@/shared/format'
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

/** Less or more the longer a run is, so no merit where they are of different lengths. */
const growsWithTime = new Set([
  'total_return', 'net_profit', 'end_equity', 'max_drawdown', 'max_drawdown_days', 'longest_under_water_days', 'longest_loss_streak', 'worst_day',
])
const amounts = new Set(['net_profit', 'end_equity', 'expectancy'])
/** What on a single result the row above explains, which may be left out here. */
const fuller: Record<string, string> = {
  cvar_95: 'Mean loss beyond value at risk', cvar_95_seen: 'Mean of the worst 5 % of days', max_drawdown_peak: 'Deepest drawdown, from',
  max_drawdown_trough: 'Deepest drawdown, lowest on', max_drawdown_recovered: 'Deepest drawdown, recovered', max_drawdown_days: 'Deepest drawdown, length',
}

/** In the groups and the order of a single result. */
export function metricRows(comparison: Comparison): MetricRow[] {
  const { metrics, runs } = comparison
  const isFair = fairnessOf(comparison)
  const known = Object.entries(statisticGroups).flatMap(([group, all]) => Object.keys(all).map((name) => ({ group, name })))
  const named = new Map(metrics.map((metric) => [metric.name, metric]))
  const listed = new Set(known.map(({ name }) => name))
  const others = metrics.filter(({ name }) => !listed.has(name)).map(({ name }) => ({ group: 'More', name }))
  return [...known, ...others].flatMap(({ group, name }) => {
    const metric = named.get(name)
    if (metric === undefined) return []
    const [label, kind] = howOf(name)
    return [{
      name, label: fuller[name] ?? label, group, differs: metric.differs,
      texts: metric.values.map((value, at) => (value === null ? MISSING : written(value, kind, runs[at]?.currency ?? ''))),
      reasons: metric.missing.map((reason) => reason ?? ''),
      best: isFair(name) ? bestOf(name, metric.values) : [],
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

/** Whether one can be called the best in a figure at all. */
function fairnessOf(comparison: Comparison): (name: string) => boolean {
  const hasOneRange = isAlike(spansOf(comparison))
  const hasOneMoney = isAlike(comparison.runs.map(({ currency }) => currency)) && !comparison.config.some(({ path }) => path === 'trading.cash')
  return (name) => (hasOneRange || !growsWithTime.has(name)) && (hasOneMoney || !amounts.has(name))
}

/** What makes figures of these runs hard to compare, each as a sentence. */
export function warningsOf(comparison: Comparison): { title: string, text: string }[] {
  const { runs } = comparison
  const spans = spansOf(comparison)
  const markets = runs.map(({ symbols }) => symbols.join(', '))
  const found = []
  if (!isAlike(spans)) {
    found.push({ title: 'Different stretches of time', text: `${listed(spans)} What adds up over time has no best here; figures a year and ratios can still be compared, with the markets of their time in mind.` })
  }
  if (!isAlike(markets)) {
    found.push({ title: 'Different markets', text: `${listed(markets)} Part of every difference is the market's: see “Buy and hold”.` })
  }
  return found
}

/** The days from the first to the last bar of each. */
function spansOf({ curves: { ts, equity } }: Comparison): string[] {
  return equity.map((values) => {
    const [first, last] = [values.findIndex((value) => value !== null), values.findLastIndex((value) => value !== null)]
    const day = (at: number) => date(new Date((ts[at] ?? 0) - 1)) // they are closes: midnight still belongs to the day before
    return first < 0 ? '' : `${day(first)} to ${day(last)}`
  })
}

function listed(texts: readonly string[]) {
  const most = 4
  const more = texts.length > most ? `, and ${texts.length - most} more` : ''
  return `${texts.slice(0, most).map((text, at) => `${at + 1}: ${text}`).join('; ')}${more}.`
}

function isAlike(texts: readonly string[]) {
  return new Set(texts).size < 2
}

export interface SettingRow {
  path: string
  group: string
  name: string
  texts: string[]
  /** Why one is not there. */
  reasons: string[]
}

const seriesNames: Record<string, string> = { symbol: 'Symbol', timeframe: 'Bars', provider: 'Source', adjustment: 'Adjusted for' }
const notTaken = 'The strategy has no such parameter.'

/** Each group once, in the order of a single configuration. */
export function settingRows({ config }: Comparison): SettingRow[] {
  const rows = config.map(({ path, values }) => {
    const place = path.replaceAll('.', '/')
    const isParameter = place.startsWith('parameters/')
    const facts = values.map((value) => factOf(place, value))
    const isAbsent = (at: number) => (isParameter || place.startsWith('series/')) && (values[at] ?? null) === null
    return {
      path, group: facts[0]?.group ?? '', name: seriesName(place) ?? facts[0]?.name ?? path,
      texts: facts.map(({ text }, at) => (isAbsent(at) ? MISSING : text)),
      reasons: facts.map((_, at) => (isAbsent(at) && isParameter ? notTaken : '')),
    }
  })
  const groups = ['What and when', ...rows.map(({ group }) => group)]
  const first = ['strategy', 'series', 'start', 'end']
  const rank = (row: SettingRow) => groups.indexOf(row.group) * 10 + (first.indexOf(row.path.split('.')[0] ?? '') + 10) % 10
  return rows.sort((one, other) => rank(one) - rank(other))
}

function seriesName(place: string) {
  const [, number = '', what = ''] = /^series\/(\d+)\/(.+)$/.exec(place) ?? []
  if (what === '') return undefined
  return `${seriesNames[what] ?? what}${number === '0' ? '' : ` ${Number(number) + 1}`}`
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
