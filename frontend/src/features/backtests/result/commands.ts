/** The same from a terminal, from Python and over HTTP; no command carries a secret. */
import { backtestAddress, type Backtest, type RunConfig } from '@/api/backtestResults'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'

const usual: Record<string, unknown> = {
  'cash': 100_000, 'costs.maker_bps': 10, 'costs.taker_bps': 10, 'costs.minimum_fee': 0, 'costs.slippage_bps': 0, 'costs.spread_bps': 0,
  'costs.impact_bps': 0, 'costs.borrow_percent_a_year': 0, 'sizing.method': 'all_in', 'sizing.percent': null, 'sizing.amount': null,
  'sizing.volatility_bars': 20, 'execution.sides': 'long', 'execution.intrabar': 'pessimistic', 'execution.detail': null,
  'execution.limit_life_bars': null, 'execution.stop_percent': null, 'execution.target_percent': null, 'execution.trail_percent': null,
  'execution.volume_percent': null, 'execution.remainder': 'carry', 'execution.leverage': 1, 'execution.most_positions': null,
}
const optionNames: Record<string, string> = { 'sizing.method': 'sizing', 'sizing.percent': 'size_percent', 'sizing.amount': 'size_amount' }

export function runCommands(backtest: Backtest): Commands {
  const { config } = backtest
  return { cli: commandOf(config), python: pythonOf(config), curl: curl('POST', '/api/backtests/run', withoutStudy(config)) }
}

export function readCommands(id: string): Commands {
  return { curl: curl('GET', backtestAddress(id)) }
}

export function exportCommand(id: string, format: string) {
  return `${curl('GET', `${backtestAddress(id)}/export?format=${format}`)} -OJ`
}

export function replayCommands(id: string): Commands {
  return { curl: curl('POST', `${backtestAddress(id)}/replay`) }
}

/** One line for a shell; nothing that was left at its default is in it. */
export function commandOf(config: RunConfig): string {
  const [first] = config.series
  const words = [
    'tidemark backtest run', `--strategy ${quoted(config.strategy)}`,
    ...Object.entries(config.parameters).map(([name, value]) => `--param ${quoted(`${name}=${said(value)}`)}`),
    `--provider ${quoted(first?.provider ?? '')}`,
    ...(first?.adjustment && first.adjustment !== 'raw' ? [`--adjustment ${first.adjustment}`] : []),
    ...config.series.map(({ symbol }) => `--symbol ${quoted(symbol)}`),
    `--timeframe ${first?.timeframe ?? ''}`,
    ...(config.start === null ? [] : [`--start ${moment(config.start)}`]),
    ...(config.end === null ? [] : [`--end ${moment(config.end)}`]),
    ...Object.entries(changedOptions(config)).map(([name, value]) => `--${name.replaceAll('_', '-')} ${quoted(said(value))}`),
    ...(config.seed ? [`--seed ${config.seed}`] : []),
  ]
  return words.join(' ')
}

export function pythonOf(config: RunConfig): string {
  const loads = config.series.map(({ provider, symbol, timeframe, adjustment }) => {
    const about = [provider, symbol, timeframe, config.start && moment(config.start), config.end && moment(config.end)].map(pythonic)
    const more = adjustment && adjustment !== 'raw' ? [`adjustment=${pythonic(adjustment)}`] : []
    const { detail } = config.trading.execution
    return `load_bars(${[...about, ...more, ...(detail ? [`detail=${pythonic(detail)}`] : [])].join(', ')})`
  })
  const bars = loads.length === 1 ? loads[0] : `[${loads.join(', ')}]`
  const options = Object.entries({ ...changedOptions(config), ...(config.seed ? { seed: config.seed } : {}) }).filter(([name]) => name !== 'detail')
  const told = [pythonic(config.strategy), 'bars', pythonic(config.parameters), ...options.map(([name, value]) => `${name}=${pythonic(value)}`)]
  return `from backend.research import backtest, load_bars\n\nbars = ${bars ?? '[]'}\nresult = backtest(${told.join(', ')})`
}

export function changedOptions({ trading }: RunConfig): Record<string, unknown> {
  const flat: Record<string, unknown> = { cash: trading.cash }
  for (const group of ['costs', 'sizing', 'execution'] as const) {
    for (const [name, value] of Object.entries(trading[group])) flat[`${group}.${name}`] = value
  }
  const changed = Object.entries(flat).filter(([path, value]) => path in usual && usual[path] !== value)
  const named = Object.fromEntries(changed.map(([path, value]) => [optionNames[path] ?? path.split('.').at(-1) ?? path, value]))
  if (!('maker_bps' in named) || named.maker_bps !== named.taker_bps) return named
  const { maker_bps: fee, taker_bps: _, ...others } = named
  return { fee_bps: fee, ...others }
}

function withoutStudy({ strategy, parameters, series, start, end, trading, seed }: RunConfig) {
  return { strategy, parameters, series, start, end, trading, seed }
}

function moment(iso: string) {
  return /T00:00:00(\.0+)?(Z|\+00:00)$/.test(iso) ? iso.slice(0, 10) : iso.replace(/\+00:00$/, 'Z')
}

function said(value: unknown) {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** As Python writes it. */
function pythonic(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'')}'`
  if (Array.isArray(value)) return `[${value.map(pythonic).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([name, one]) => `${pythonic(name)}: ${pythonic(one)}`).join(', ')}}`
  return JSON.stringify(value)
}
