/** The same run from a terminal, from Python, or over HTTP: each can be pasted and run as it is. */
import { backtestsPath, type RunWanted } from '@/api/backtests'
import { type Study, studyAddress, type StudyKind, type TriedValues } from '@/api/studies'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'
import { allTradingFields } from './tradingFields'

/** A strategy of one's own lives on the server: where it was saved as rules, its rules go along. */
export function runCommands(wanted: RunWanted): Commands {
  return { cli: cli(wanted), python: python(wanted), curl: curl('POST', `${backtestsPath}/run`, wanted) }
}

export function studyCommands(kind: StudyKind, wanted: RunWanted, study: Study): Commands {
  const { space, objective, least_trades: least, trials, folds, purge, anchored } = study
  const plan = [
    `--objective ${objective}`,
    ...(least > 0 ? [`--least-trades ${least}`] : []),
    ...(trials === null ? [] : [`--trials ${trials}`]),
    ...(folds === undefined ? [] : [`--folds ${folds}`]),
    ...(purge ? [`--purge ${purge}`] : []),
    ...(anchored ? ['--anchored'] : []),
  ]
  const command = kind.replace('_', '-')
  return { cli: cli(wanted, command, space, plan), curl: curl('POST', studyAddress(kind), { ...wanted, ...study }) }
}

function cli(
  { strategy, parameters = {}, series, start, end, trading, seed }: RunWanted, command = 'run', space: Study['space'] = {}, plan: string[] = [],
) {
  const [first] = series
  if (first === undefined) return undefined
  return [`tidemark backtest ${command}`, `--strategy ${quoted(strategy)}`,
    ...Object.entries({ ...parameters, ...space }).map(([name, value]) => `-p ${quoted(`${name}=${name in space ? asRange(space[name]) : asValue(value)}`)}`),
    `--provider ${quoted(first.provider)}`,
    ...series.map(({ symbol }) => `--symbol ${quoted(symbol)}`),
    `--timeframe ${first.timeframe}`,
    ...(start ? [`--start ${moment(start)}`] : []),
    ...(end ? [`--end ${moment(end)}`] : []),
    ...(first.adjustment === 'raw' ? [] : [`--adjustment ${first.adjustment}`]),
    ...Object.entries(optionsOf(trading)).map(([name, value]) => `--${name.replaceAll('_', '-')} ${value}`),
    ...(trading.execution.detail ? [`--detail ${trading.execution.detail}`] : []),
    ...(seed === 0 ? [] : [`--seed ${seed}`]),
    ...plan,
  ].join(' ')
}

function asRange(values: TriedValues | undefined) {
  if (values === undefined || typeof values === 'string') return 'auto'
  return 'from' in values ? `${values.from}:${values.to}:${values.step}` : JSON.stringify(values)
}

function asValue(value: unknown) {
  return typeof value === 'string' ? asText(value) : JSON.stringify(value)
}

/** Text that would be read as a number or as true has to say that it is text. */
function asText(value: string) {
  try {
    JSON.parse(value.toLowerCase())
    return JSON.stringify(value)
  } catch {
    return value.startsWith('@') ? JSON.stringify(value) : value
  }
}

function python({ strategy, parameters = {}, series, start, end, trading, seed }: RunWanted) {
  const bars = series.map(({ provider, symbol, timeframe, adjustment }) => {
    const more = [
      ...(start ? [`start=${literal(moment(start))}`] : []),
      ...(end ? [`end=${literal(moment(end))}`] : []),
      ...(adjustment === 'raw' ? [] : [`adjustment=${literal(adjustment)}`]),
      ...(trading.execution.detail ? [`detail=${literal(trading.execution.detail)}`] : []),
    ]
    return `    load_bars(${[literal(provider), literal(symbol), literal(timeframe), ...more].join(', ')}),`
  })
  const options = Object.entries({ ...optionsOf(trading), ...(seed === 0 ? {} : { seed }) }).map(([name, value]) => `${name}=${literal(value)}`)
  return [
    'from backend.research import backtest, load_bars',
    '',
    'bars = [', ...bars, ']',
    `result = backtest(${[literal(strategy), 'bars', literal(parameters), ...options].join(', ')})`,
    'print(result)',
    '',
  ].join('\n')
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`).join(', ')}}`
  return JSON.stringify(value)
}

/** What differs from what is usual there, by the names that the command line and Python share. */
function optionsOf({ cash, costs, sizing, execution }: RunWanted['trading']) {
  const values: Record<string, unknown> = { cash, ...below('costs', costs), ...below('sizing', sizing), ...below('execution', execution) }
  const numbers = allTradingFields.flatMap(({ name, option }): [string, unknown][] => {
    const value = values[name]
    const isUsual = value === undefined || value === null || value === usualThere[name]
    return isUsual ? [] : [[option, value]]
  })
  return {
    ...Object.fromEntries(numbers),
    ...(sizing.method === 'all_in' ? {} : { sizing: sizing.method }),
    ...(execution.sides === 'long' ? {} : { sides: execution.sides }),
    ...(execution.intrabar === 'pessimistic' ? {} : { intrabar: execution.intrabar }),
    ...(execution.remainder === 'carry' ? {} : { remainder: execution.remainder }),
  } as Record<string, string | number>
}

const usualThere: Record<string, number> = {
  'cash': 100_000, 'costs/maker_bps': 10, 'costs/taker_bps': 10, 'costs/minimum_fee': 0, 'costs/slippage_bps': 0, 'costs/spread_bps': 0,
  'costs/impact_bps': 0, 'costs/borrow_percent_a_year': 0, 'sizing/volatility_bars': 20, 'execution/leverage': 1,
}

function below(name: string, values: object) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}/${key}`, value as unknown]))
}

/** Midnight is said as its day. */
function moment(text: string) {
  return new Date(text).toISOString().replace(/T00:00:00\.000Z$/, '').replace(/\.000Z$/, 'Z')
}
