/** Sweeps, searches and walks forward as their documents say it, and how their figures are called. */
import type { Value } from '@/api/backtestResults'
import { nameIn } from '@/shared/ruleNumbers'
import type { TableColumn } from '@/shared/table'
import { change, integer, MISSING, percent } from '@/shared/format'
import { howOf, type StatisticKind, written } from './statistics'

export interface Trial {
  number: number
  parameters: Record<string, Value>
  value: number | null
  why: string | null
  metrics: Record<string, number>
}

export interface StudyGrid {
  x: { name: string, values: Value[], together: number }
  y: { name: string, values: Value[], together: number }
  best: (number | null)[][]
  median: (number | null)[][]
}

export interface Fold {
  number: number
  train: { start: string, end: string, bars: number }
  test: { start: string, end: string, bars: number }
  trials: number
  ranked: number
  parameters: Record<string, Value> | null
  in_sample: { value: number | null, metrics: Record<string, number> } | null
  out_of_sample: { value: number | null, metrics: Record<string, number> } | null
  median: number | null
  overfitting: number | null
  deflated_sharpe: number | null
}

interface Judged {
  values: Record<string, Value>
  missing: Record<string, string>
}

interface Common {
  strategy: string
  symbol: string
  objective: { name: string, more_is_better: boolean, least_trades: number }
  is_cancelled: boolean
  trials: number
  trials_in_family: number
  judgement: Judged
}

export interface SearchStudy extends Common {
  kind: 'sweep' | 'optimize'
  method: string
  combinations: number
  ranked: number
  failed: number
  skipped: number
  skipped_why: string | null
  winner: Trial | null
  median: Trial | null
  warnings: string[]
  best: Trial[]
  failures: { reason: string, count: number }[]
  histogram: { edges: number[], counts: number[] } | null
  heat_maps: StudyGrid[]
}

export interface WalkStudy extends Common {
  kind: 'walk_forward'
  anchored: boolean
  purge: number
  planned: number
  unused_bars: number
  folds: Fold[]
  stability: Record<string, { values: Value[], distinct: number, spread: number | null }>
  statistics: Judged | null
  equity: { ts: string[], equity: number[] } | null
}

export type Study = SearchStudy | WalkStudy

export function studyOf(document: Record<string, unknown>): Study | null {
  const { kind, objective, judgement } = document
  const isKnown = kind === 'sweep' || kind === 'optimize' || kind === 'walk_forward'
  return isKnown && objective !== undefined && judgement !== undefined ? document as unknown as Study : null
}

const judged: Record<string, readonly [label: string, kind: StatisticKind | 'objective']> = {
  trials: ['Trials', 'count'],
  trials_in_family: ['Trials ever, of this strategy here', 'count'],
  windows: ['Folds', 'count'],
  winner: ['Best', 'objective'],
  median: ['Median of all trials', 'objective'],
  in_sample: ['In sample, mean of the folds', 'objective'],
  out_of_sample: ['Out of sample, mean of the folds', 'objective'],
  efficiency: ['Kept out of sample', 'percent'],
  return_efficiency: ['Growth kept out of sample', 'percent'],
  profitable_windows: ['Folds with a gain', 'percent'],
  overfitting: ['Probability of overfitting (PBO)', 'percent'],
  deflated_sharpe: ['Deflated Sharpe: more than luck', 'percent'],
  neighbourhood: ['Mean of the best one\'s neighbours', 'objective'],
}

export function judgementOf(study: Study): { name: string, label: string, text: string, reason: string }[] {
  const { values, missing } = study.judgement
  return Object.entries(judged).flatMap(([name, [label, kind]]) => {
    const value = values[name]
    if (value === undefined) return name in missing ? [{ name, label, text: MISSING, reason: missing[name] ?? '' }] : []
    return [{ name, label, reason: '', text: kind === 'objective' ? ofObjective(study, value) : written(value, kind, '') }]
  })
}

/** Of all trials that are ranked. Of an even number it lies between two, so it need not be any one's value. */
export function medianOf({ judgement }: Study): number | null {
  const { median } = judgement.values
  return typeof median === 'number' ? median : null
}

export function skippedWords({ skipped, skipped_why: why }: Pick<SearchStudy, 'skipped' | 'skipped_why'>) {
  const counted = `${integer(skipped)} ${skipped === 1 ? 'was' : 'were'} not taken by the strategy`
  return why === null ? `${counted}.` : `${counted};${skipped === 1 ? '' : ' of the first'} it says: ${why}`
}

export function ofObjective({ objective }: Study, value: Value | null | undefined): string {
  return value === null || value === undefined ? MISSING : written(value, howOf(objective.name)[1], '')
}

export function warningsOf(study: Study): string[] {
  if (study.kind !== 'walk_forward') return study.warnings
  return [
    ...(study.is_cancelled ? [`It was cancelled after ${study.folds.length} of ${study.planned} folds: this is a part of it.`] : []),
    ...(study.unused_bars > 0 ? [`${integer(study.unused_bars)} bars at the end were too few for a fold.`] : []),
  ]
}

export function valueText(value: Value | null | undefined): string {
  return value === null || value === undefined ? MISSING : String(value)
}

/** The ledger: a column a parameter, then the figures that every trial has. */
export function trialColumns(study: SearchStudy): TableColumn<Trial>[] {
  const [first] = study.best
  const [label] = howOf(study.objective.name)
  const metrics = ['total_return', 'sharpe', 'max_drawdown', 'trades', 'win_rate', 'profit_factor'].filter((name) => name !== study.objective.name)
  return [
    { id: 'number', header: 'Trial', value: ({ number }) => number, kind: 'number', width: 84, fixed: true, unfiltered: true },
    ...Object.keys(first?.parameters ?? {}).map((name): TableColumn<Trial> => ({
      id: `p.${name}`, header: nameIn(name), width: 112,
      value: ({ parameters }) => parameters[name],
      kind: typeof first?.parameters[name] === 'number' ? 'number' : 'choice',
    })),
    { id: 'value', header: label, value: ({ value }) => value, kind: 'number', width: 124 },
    ...metrics.map((name): TableColumn<Trial> => ({
      id: `m.${name}`, header: howOf(name)[0], value: ({ metrics: all }) => all[name], kind: 'number', width: 136,
    })),
    { id: 'why', header: 'Why not ranked', value: ({ why }) => why, width: 220, optional: true },
  ]
}

export function metricText(name: string, value: number | undefined): string {
  if (value === undefined) return MISSING
  const [, kind] = howOf(name)
  return kind === 'change' ? change(value) : kind === 'percent' ? percent(value) : written(value, kind, '')
}
