/** What is known of a model: the card that is written when it was trained. */
import type { components } from './schema'

export type ModelSpec = components['schemas']['ModelSpec']
type SeriesAsked = components['schemas']['SeriesConfig']

/** A number with what it might as well be; null where there is too little to tell. */
export interface Interval {
  value: number | null
  low: number | null
  high: number | null
}

export interface Metrics {
  rows: number
  auc: Interval
  log_loss: number | null
  brier: number | null
  accuracy: number | null
  base_accuracy: number | null
  ic: Interval
  rank_ic: Interval
}

export interface Fold {
  number: number
  train_first: string
  train_last: string
  train_rows: number
  stop_rows: number
  test_first: string
  test_last: string
  test_rows: number
  rounds: number
  metrics: Metrics
}

export interface Spread {
  mean: number | null
  std: number | null
  min: number | null
  max: number | null
}

export interface Baseline {
  name: string
  title: string
  metrics: Metrics
}

export interface Decile {
  decile: number
  count: number
  probability: number | null
  return: number | null
  after_costs: number | null
  low: number | null
  high: number | null
}

export interface CalibrationBin {
  low: number
  high: number
  predicted: number | null
  observed: number | null
  count: number
}

export interface Importance {
  feature: string
  group: string
  gain: number
  gain_share: number
  shap: number
}

export interface Reason {
  code: string
  text: string
}

export interface Verdict {
  is_trusted: boolean
  headline: string
  reasons: Reason[]
}

export interface Contest {
  champion_id: string
  bars: number
  gain: number | null
  low: number | null
  high: number | null
  is_won: boolean
  why: string
}

export interface ModelCard {
  card: number
  spec: ModelSpec
  question: string
  series: SeriesAsked
  data: {
    first: string
    last: string
    known_until: string
    bars: number
    rows: number
    content_hash: string
    is_simulated: boolean
  }
  base_rate: number | null
  features: { name: string, group: string, about: string }[]
  folds: Fold[]
  pooled: Metrics
  spread: Record<string, Spread>
  baselines: Baseline[]
  controls: {
    shuffled: { auc: Interval, passed: boolean }
    leaks: { feature: string, auc: number | null, text: string }[]
  }
  calibration: CalibrationBin[]
  deciles: Decile[]
  importance: Importance[]
  interval: { level: number, coverage: number | null }
  verdict: Verdict
  made: { seconds: number, rounds: number, seed: number, threads: number, versions: Record<string, string> }
  file: { sha256: string, bytes: number }
  contest: Contest | null
}
