/** The form of a run: what it holds, what is sent from it, and how it is filled from a run that was made before. */
import type { RunWanted, TradingConfig } from '@/api/backtests'
import type { Series, Timeframe } from '@/api/market'
import { presetDays } from '@/shared/dayRange'
import { MINUS, quantity } from '@/shared/format'
import { isRecord } from '@/shared/jsonSchema'
import { daysFrom, type MarketForm, type MarketProblems, marketProblems, momentsOf } from '@/shared/marketForm'
import { allTradingFields, sizeNeeds, type SizingMethod } from './tradingFields'

/** By their names in tradingFields.ts, as text. */
export type Numbers = Record<string, string | null | undefined>

export interface RunForm extends MarketForm {
  /** As /api/strategies names it: one's own by their id. */
  strategy: string
  parameters: Record<string, unknown>
  numbers: Numbers
  sizing: SizingMethod
  sides: TradingConfig['execution']['sides']
  intrabar: TradingConfig['execution']['intrabar']
  remainder: TradingConfig['execution']['remainder']
  detail: Timeframe | ''
  seed: string | null
}

export function newForm(now: Date): RunForm {
  return {
    strategy: '', parameters: {}, provider: 'demo', symbols: [], timeframe: '1h', adjustment: 'raw', ...presetDays('year', now),
    exactly: null, numbers: usualNumbers(), sizing: 'all_in', sides: 'long', intrabar: 'pessimistic', remainder: 'carry', detail: '', seed: '0',
  }
}

/** On these bars; on all of them when somebody uploaded them, since nothing says that they go on until today. */
export function formOn({ provider, symbol, timeframe, adjustment, is_own, stored }: Series, now: Date): RunForm {
  const days = is_own && stored?.first && stored.last ? { from: stored.first.slice(0, 10), to: stored.last.slice(0, 10) } : {}
  return { ...newForm(now), provider, symbols: [symbol], timeframe, adjustment, ...days }
}

export function usualNumbers(): Numbers {
  return Object.fromEntries(allTradingFields.map(({ name, usual }) => [name, usual]))
}

/** What is sent. Only what the method of sizing asks for goes with it. */
export function wantedOf(form: RunForm, run: { strategy: string, parameters: Record<string, unknown> }): RunWanted {
  const number = (name: string) => numberOf(form.numbers[name])
  const needs = sizeNeeds[form.sizing]
  return {
    strategy: run.strategy,
    parameters: run.parameters,
    series: form.symbols.map((symbol) => ({ provider: form.provider, symbol, timeframe: form.timeframe, adjustment: form.adjustment })),
    ...momentsOf(form),
    trading: {
      cash: number('cash') ?? 10_000,
      costs: {
        maker_bps: number('costs/maker_bps') ?? 0,
        taker_bps: number('costs/taker_bps') ?? 0,
        minimum_fee: number('costs/minimum_fee') ?? 0,
        slippage_bps: number('costs/slippage_bps') ?? 0,
        spread_bps: number('costs/spread_bps') ?? 0,
        impact_bps: number('costs/impact_bps') ?? 0,
        borrow_percent_a_year: number('costs/borrow_percent_a_year') ?? 0,
      },
      sizing: {
        method: form.sizing,
        ...(needs === null ? {} : { [needs.field]: number(`sizing/${needs.field}`) }),
        volatility_bars: number('sizing/volatility_bars') ?? 20,
      },
      execution: {
        sides: form.sides,
        intrabar: form.intrabar,
        remainder: form.remainder,
        leverage: number('execution/leverage') ?? 1,
        ...present('detail', form.detail === '' ? null : form.detail),
        ...Object.assign({}, ...(['stop_percent', 'target_percent', 'trail_percent', 'limit_life_bars', 'volume_percent', 'most_positions'] as const)
          .map((name) => present(name, number(`execution/${name}`)))),
      },
    },
    seed: numberOf(form.seed) ?? 0,
  }
}

function present<Name extends string, Value>(name: Name, value: Value | null) {
  return value === null ? {} : { [name]: value }
}

/** From a stored run or a preset; what it does not say is as usual. Series of several kinds keep the first one's. */
export function formFrom(config: Record<string, unknown>, now: Date): RunForm {
  const usual = newForm(now)
  const { series, trading } = config as Partial<RunWanted>
  const [first] = series ?? []
  const { cash, costs, sizing, execution } = (isRecord(trading) ? trading : {}) as Partial<TradingConfig>
  const given: Record<string, unknown> = { cash, ...below('costs', costs), ...below('sizing', sizing), ...below('execution', execution) }
  const numbers = Object.fromEntries(allTradingFields.map(({ name, usual: text }) => {
    const value = given[name]
    return [name, typeof value === 'number' ? plain(value) : name in given || isOff(name, trading) ? null : text]
  }))
  return {
    ...usual,
    strategy: typeof config.strategy === 'string' ? config.strategy : '',
    parameters: isRecord(config.parameters) ? { ...config.parameters } : {},
    ...(first === undefined ? {} : { provider: first.provider, timeframe: first.timeframe, adjustment: first.adjustment }),
    symbols: (series ?? []).map(({ symbol }) => symbol),
    ...daysFrom(config),
    numbers,
    sizing: sizing?.method ?? usual.sizing,
    sides: execution?.sides ?? usual.sides,
    intrabar: execution?.intrabar ?? usual.intrabar,
    remainder: execution?.remainder ?? usual.remainder,
    detail: execution?.detail ?? '',
    seed: typeof config.seed === 'number' ? String(config.seed) : '0',
  }
}

/** What a stored run leaves out was off, not as a new form would have it. */
function isOff(name: string, trading: unknown) {
  return isRecord(trading) && name.startsWith('costs/')
}

function below(name: string, values: unknown) {
  return isRecord(values) ? Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}/${key}`, value])) : {}
}

function numberOf(text: string | null | undefined) {
  return text === null || text === undefined || text === '' || !Number.isFinite(Number(text)) ? null : Number(text)
}

/** `1e21` and `1e-7` are no text of a field. */
function plain(value: number) {
  const text = String(value)
  return text.includes('e') ? quantity(value).replaceAll(',', '').replace(MINUS, '-') : text
}

export const longestTag = 40
export const mostTags = 20

export function typedTags(text: string): string[] {
  return [...new Set(text.split(',').map((tag) => tag.trim()).filter((tag) => tag !== ''))]
}

export function tagProblem(tags: readonly string[]): string | undefined {
  const long = tags.find((tag) => tag.length > longestTag)
  if (long !== undefined) return `A tag has at most ${longestTag} characters; “${long.slice(0, 12)}…” has ${long.length}.`
  return tags.length > mostTags ? `A backtest has at most ${mostTags} tags; these are ${tags.length}.` : undefined
}

export interface FormProblems extends MarketProblems {
  strategy?: string
}

/** What is plain to see before the server is asked. */
export function formProblems(form: RunForm, now: Date): FormProblems {
  return { ...(form.strategy === '' ? { strategy: 'Choose a strategy.' } : {}), ...marketProblems(form, now) }
}
