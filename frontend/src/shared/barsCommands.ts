/** Bars as the command line and Python name them, and values as Python writes them. */
import type { Adjustment, Timeframe } from '@/api/market'
import { quoted } from './shell'

interface Series {
  provider: string
  symbol: string
  timeframe: Timeframe
  adjustment?: Adjustment
}
type Moment = string | null | undefined

/** What was uploaded stays with its owner on the server: a terminal and Python do not see it. */
export function isOnServerOnly(series: readonly Pick<Series, 'provider'>[]) {
  return series.some(({ provider }) => provider === 'import')
}

/** Null where the command line cannot say it: it takes one provider, timeframe and adjustment for all symbols. */
export function seriesFlags(series: readonly Series[], start: Moment, end: Moment): string[] | null {
  const [first] = series
  if (first === undefined || isOnServerOnly(series) || series.some((one) => kindOf(one) !== kindOf(first))) return null
  return [
    `--provider ${quoted(first.provider)}`, ...series.map(({ symbol }) => `--symbol ${quoted(symbol)}`), `--timeframe ${first.timeframe}`,
    ...(start ? [`--start ${moment(start)}`] : []), ...(end ? [`--end ${moment(end)}`] : []),
    ...(adjustmentOf(first) === 'raw' ? [] : [`--adjustment ${adjustmentOf(first)}`]),
  ]
}

export function loadBars(one: Series, start: Moment, end: Moment, detail?: string | null) {
  const named = { start: start ? moment(start) : null, end: end ? moment(end) : null, adjustment: adjustmentOf(one), detail }
  return `load_bars(${[one.provider, one.symbol, one.timeframe].map(literal).concat(keywords(named, { adjustment: 'raw' })).join(', ')})`
}

/** `fast=20`, without what is not there and what is usual. */
export function keywords(values: Readonly<Record<string, unknown>>, usual: Readonly<Record<string, unknown>> = {}) {
  return Object.entries(values).flatMap(([name, value]) => (isGiven(value) && value !== usual[name] ? [`${name}=${literal(value)}`] : []))
}

/** `--fast 20`, likewise. */
export function flags(values: Readonly<Record<string, unknown>>, usual: Readonly<Record<string, unknown>> = {}) {
  return Object.entries(values).flatMap(([name, value]) => (isGiven(value) && value !== usual[name] ? [`--${name.replaceAll('_', '-')} ${quoted(String(value))}`] : []))
}

/** As Python writes it. */
export function literal(value: unknown): string {
  if (!isGiven(value)) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value as object).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`).join(', ')}}`
  return JSON.stringify(value)
}

export function isGiven(value: unknown) {
  return value !== null && value !== undefined
}

function kindOf(one: Series) {
  return [one.provider, one.timeframe, adjustmentOf(one)].join()
}

function adjustmentOf({ adjustment }: Series) {
  return adjustment ?? 'raw'
}

/** Midnight is said as its day. */
function moment(text: string) {
  return new Date(text).toISOString().replace(/T00:00:00\.000Z$/, '').replace(/\.000Z$/, 'Z')
}
