/** Configurations as flat facts, and what of them differs. */
import type { RunConfig } from '@/api/backtestResults'
import { usual } from '@/api/usual'
import { bps, date, dateTime, fixed } from '@/shared/format'
import { nameIn } from '@/shared/ruleNumbers'
import { howOf } from './statistics'
import { valuesWords } from './words'

export interface ConfigFact {
  path: string
  group: string
  name: string
  value: unknown
  text: string
  /** Its default, where it is another one. */
  usual?: string
}

const names: Record<string, string> = {
  cash: 'Start money', maker_bps: 'Fee for limits and targets', taker_bps: 'Fee for market orders and stops', minimum_fee: 'Least fee of an order',
  slippage_bps: 'Slippage', spread_bps: 'Spread', impact_bps: 'Impact at the bar\'s whole volume', borrow_percent_a_year: 'Interest a year',
  method: 'Size of an entry', percent: 'Share of equity', amount: 'Amount', volatility_bars: 'Volatility measured over',
  sides: 'Sides', intrabar: 'Order of prices inside a bar', detail: 'Shorter bars inside', limit_life_bars: 'A limit lives for',
  stop_percent: 'Stop', target_percent: 'Target', trail_percent: 'Trailing stop', volume_percent: 'Most of a bar\'s volume', remainder: 'Unfilled rest',
  leverage: 'Leverage', most_positions: 'Most positions at once', seed: 'Seed', strategy: 'Strategy', start: 'From', end: 'Up to, not including', series: 'Bars',
  objective: 'Ranked by', least_trades: 'Ranked from so many trades', trials: 'Trials at most', folds: 'Folds', train: 'Bars to choose on',
  test: 'Bars to trade', purge: 'Bars between the two', anchored: 'Every fold begins at the first bar',
}
const groups: Record<string, string> = {
  'parameters': 'Parameters', 'tried': 'Tried out', 'plan': 'Trials', 'trading/cash': 'Money and costs', 'trading/costs': 'Money and costs', 'trading/sizing': 'Size',
  'trading/execution': 'Orders and fills',
}

/** All that decides a run, in the order in which a reader asks. */
export function factsOf(config: RunConfig): ConfigFact[] {
  const { space = {}, plan = {} } = config.study ?? {}
  const flat: [string, unknown][] = [
    ['strategy', config.strategy],
    ...Object.entries(config.parameters).flatMap(([name, value]): [string, unknown][] => (name in space ? [] : [[`parameters/${name}`, value]])),
    ...Object.entries(space).map(([name, values]): [string, unknown] => [`tried/${nameIn(name)}`, valuesWords(values)]),
    ...Object.entries(plan).flatMap(([name, value]): [string, unknown][] => (value === null ? [] : [[`plan/${name}`, value]])),
    ['series', config.series.map((one) => `${one.symbol} ${one.timeframe}, ${one.provider}${one.adjustment && one.adjustment !== 'raw' ? `, ${one.adjustment}` : ''}`).join('; ')],
    ['start', config.start],
    ['end', config.end],
    ...flattened('trading', config.trading),
    ['seed', config.seed],
  ]
  return flat.map(([path, value]) => factOf(path, value))
}

export function factOf(path: string, value: unknown): ConfigFact {
  const [last = path] = path.split('/').slice(-1)
  const place = Object.keys(groups).find((one) => path === one || path.startsWith(`${one}/`))
  const isOwn = path.startsWith('parameters/') || path.startsWith('tried/')
  const isUsual = !(path in usual) || usual[path] === value
  return {
    path, value, group: place === undefined ? 'What and when' : groups[place] ?? '', name: isOwn ? last : names[last] ?? last,
    text: textOf(last, value), ...(isUsual ? {} : { usual: textOf(last, usual[path]) }),
  }
}

function textOf(name: string, value: unknown): string {
  if (value === null || value === undefined) return name === 'start' ? 'The first bar' : name === 'end' ? 'The last bar' : 'None'
  if (name === 'start' || name === 'end') return String(value).includes('T00:00:00') ? date(String(value)) : dateTime(String(value), 'UTC', 'minute')
  if (name === 'objective') return howOf(String(value))[0]
  if (typeof value === 'boolean') return value ? 'Yes' : 'No'
  if (typeof value === 'number') {
    if (name.endsWith('_bps')) return bps(value)
    if (name.endsWith('_percent') || name === 'percent' || name === 'borrow_percent_a_year') return `${plain(value)} %`
    if (name.endsWith('_bars')) return `${plain(value)} bars`
    if (name === 'leverage') return `${plain(value)} ×`
    return plain(value)
  }
  return typeof value === 'string' ? (words.has(name) ? capital(value.replaceAll('_', ' ')) : value) : JSON.stringify(value)
}

/** Their values are words, not names. */
const words = new Set(['method', 'sides', 'intrabar', 'remainder'])

function capital(text: string) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

function plain(value: number) {
  const decimals = (String(value).split('.')[1] ?? '').length
  return fixed(value, Math.min(decimals, 8))
}

function flattened(at: string, document: object): [string, unknown][] {
  return Object.entries(document).flatMap(([name, value]: [string, unknown]) => {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? flattened(`${at}/${name}`, value) : [[`${at}/${name}`, value] as [string, unknown]]
  })
}
