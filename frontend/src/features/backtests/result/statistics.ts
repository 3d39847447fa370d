/** How each statistic is called and written: the words, groups and kinds of backend/backtesting/wording.py. */
import type { Figures, Value } from '@/api/backtestResults'
import { bps, change, duration, fixed, integer, MISSING, money, percent, ratio } from '@/shared/format'

export type StatisticKind
  = 'change' | 'percent' | 'ratio' | 'money' | 'signed money' | 'count' | 'days' | 'bars' | 'seconds' | 'bps' | 'times' | 'text' | 'any'

export interface StatisticLine {
  name: string
  label: string
  text: string
  kind: StatisticKind
  value: Value | null
  /** Why there is no value. */
  reason: string
}

type Group = Record<string, readonly [label: string, kind: StatisticKind]>

export const statisticGroups: Record<string, Group> = {
  'Return': {
    start_equity: ['Start equity', 'money'],
    end_equity: ['End equity', 'money'],
    total_return: ['Total return', 'change'],
    benchmark_return: ['Buy and hold', 'change'],
    cagr: ['Growth a year (CAGR)', 'change'],
    best_day: ['Best day', 'change'],
    worst_day: ['Worst day', 'change'],
    positive_days: ['Days with a gain', 'percent'],
    days: ['Days', 'count'],
  },
  'Risk': {
    volatility: ['Volatility a year', 'percent'],
    sharpe: ['Sharpe', 'ratio'],
    sortino: ['Sortino', 'ratio'],
    calmar: ['Calmar', 'ratio'],
    omega: ['Omega', 'ratio'],
    var_95: ['Value at risk 95, a day', 'change'],
    cvar_95: ['Mean loss beyond it', 'change'],
    var_95_seen: ['Worst 5 % of days seen', 'change'],
    cvar_95_seen: ['Their mean', 'change'],
    skew: ['Skew', 'ratio'],
    kurtosis: ['Excess kurtosis', 'ratio'],
  },
  'Drawdown': {
    max_drawdown: ['Deepest drawdown', 'change'],
    max_drawdown_peak: ['From', 'text'],
    max_drawdown_trough: ['Lowest on', 'text'],
    max_drawdown_recovered: ['Recovered', 'text'],
    max_drawdown_days: ['Its length', 'days'],
    longest_under_water_days: ['Longest under water', 'days'],
    time_under_water: ['Days under water', 'percent'],
  },
  'Against buy and hold': {
    alpha: ['Alpha a year', 'change'],
    beta: ['Beta', 'ratio'],
    correlation: ['Correlation', 'ratio'],
    tracking_error: ['Tracking error a year', 'percent'],
    information_ratio: ['Information ratio', 'ratio'],
  },
  'Trades': {
    trades: ['Closed trades', 'count'],
    open_trades: ['Still open', 'count'],
    won: ['Won', 'count'],
    lost: ['Lost', 'count'],
    win_rate: ['Win rate', 'percent'],
    net_profit: ['Net profit', 'signed money'],
    profit_factor: ['Profit factor', 'ratio'],
    expectancy: ['Expectancy a trade', 'signed money'],
    payoff: ['Payoff', 'ratio'],
    mean_trade: ['Average trade', 'change'],
    median_trade: ['Median trade', 'change'],
    mean_win: ['Average win', 'change'],
    mean_loss: ['Average loss', 'change'],
    best_trade: ['Best trade', 'change'],
    worst_trade: ['Worst trade', 'change'],
    sqn: ['SQN', 'ratio'],
    longest_win_streak: ['Longest row of wins', 'count'],
    longest_loss_streak: ['Longest row of losses', 'count'],
    mae: ['Average worst point (MAE)', 'change'],
    mfe: ['Average best point (MFE)', 'change'],
  },
  'Long and short': {
    long_trades: ['Long trades', 'count'],
    long_net_profit: ['Long net profit', 'signed money'],
    long_win_rate: ['Long win rate', 'percent'],
    short_trades: ['Short trades', 'count'],
    short_net_profit: ['Short net profit', 'signed money'],
    short_win_rate: ['Short win rate', 'percent'],
  },
  'Time': {
    exposure: ['Time in the market', 'percent'],
    turnover: ['Turnover a year', 'times'],
    mean_seconds_held: ['Average holding time', 'seconds'],
    mean_bars_held: ['Average bars held', 'bars'],
    median_bars_held: ['Median bars held', 'bars'],
    longest_bars_held: ['Longest trade', 'bars'],
  },
  'Costs': {
    fees: ['Fees', 'money'],
    slippage: ['Slippage', 'money'],
    financing: ['Interest', 'money'],
    costs_of_gross_profit: ['Share of gross profit', 'percent'],
    break_even_bps: ['Break-even cost, same orders', 'bps'],
  },
}

export const keyFigures = ['total_return', 'cagr', 'sharpe', 'max_drawdown', 'win_rate', 'trades'] as const

/** All of them in their groups, those without a name here at the end. */
export function linesByGroup(figures: Figures, currency: string): { title: string, lines: StatisticLine[] }[] {
  const isThere = (name: string) => name in figures.statistics || name in figures.missing
  const known = new Set(Object.values(statisticGroups).flatMap((group) => Object.keys(group)))
  const others = [...Object.keys(figures.statistics), ...Object.keys(figures.missing)].filter((name) => !known.has(name))
  return [
    ...Object.entries(statisticGroups).map(([title, group]) => ({
      title,
      lines: Object.keys(group).filter(isThere).map((name) => lineOf(figures, name, currency)),
    })),
    { title: 'More', lines: others.map((name) => lineOf(figures, name, currency)) },
  ].filter(({ lines }) => lines.length > 0)
}

export function lineOf({ statistics, missing }: Figures, name: string, currency: string): StatisticLine {
  const [label, kind] = howOf(name)
  const value = statistics[name]
  if (value === undefined) return { name, label, kind, text: MISSING, value: null, reason: missing[name] ?? 'It was not computed.' }
  return { name, label, kind, text: written(value, kind, currency), value, reason: '' }
}

export function howOf(name: string): readonly [label: string, kind: StatisticKind] {
  const group = Object.values(statisticGroups).find((one) => Object.hasOwn(one, name))
  const words = name.replaceAll('_', ' ')
  return group?.[name] ?? [words.charAt(0).toUpperCase() + words.slice(1), 'any']
}

export function written(value: Value, kind: StatisticKind, currency: string): string {
  if (typeof value === 'string') return value
  return writers[kind](value, currency)
}

/** Gain or loss, for changes and money; a ratio or a skew is neither. */
export function isDirected(kind: StatisticKind) {
  return kind === 'change' || kind === 'signed money'
}

export function numberIn({ statistics }: Figures, name: string): number | null {
  const value = statistics[name]
  return typeof value === 'number' ? value : null
}

const writers: Record<StatisticKind, (value: number, currency: string) => string> = {
  'change': (value) => change(value),
  'percent': (value) => percent(value),
  'ratio': (value) => ratio(value),
  'money': (value, currency) => money(value, currency),
  'signed money': (value, currency) => money(value, currency, { signed: true }),
  'count': (value) => integer(value),
  'days': (value) => `${integer(value)} ${value === 1 ? 'day' : 'days'}`,
  'bars': (value) => `${fixed(value, Number.isInteger(value) ? 0 : 1)} ${value === 1 ? 'bar' : 'bars'}`,
  'seconds': (value) => duration(value),
  'bps': (value) => bps(value),
  'times': (value) => `${fixed(value, 1)} times`,
  'text': (value) => String(value),
  'any': (value) => (Number.isInteger(value) ? integer(value) : fixed(value, 4)),
}
