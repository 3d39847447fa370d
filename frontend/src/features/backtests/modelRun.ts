/** A backtest that trades a model: the same question on the same bars, trained anew as often, with the same costs. */
import type { ModelCard } from '@/api/modelCards'
import type { Model } from '@/api/models'
import { trainedRange } from '@/shared/trainedRange'
import { formFrom, newForm, type RunForm, usualNumbers } from './runForm'

const strategy = 'ml_predictive'
const usualFee = 10

/** Null while the model is not trained: then there are no folds to trade. */
export function runFormOf({ series, spec, card }: Pick<Model, 'series' | 'spec' | 'card'>, now: Date): RunForm | null {
  if (card === null) return null
  const fee = Math.min(usualFee, spec.cost_bps)
  return {
    ...newForm(now),
    ...market(formFrom({ series: [series], ...trainedRange(card) }, now)),
    strategy,
    parameters: { ...shaping(spec), ...foldsOf(card) },
    numbers: { ...usualNumbers(), 'costs/maker_bps': plain(fee), 'costs/taker_bps': plain(fee), 'costs/slippage_bps': plain(spec.cost_bps - fee) },
    sides: 'both',
  }
}

function market({ provider, symbols, timeframe, adjustment, from, to, exactly }: RunForm) {
  return { provider, symbols, timeframe, adjustment, from, to, exactly }
}

/** What of the question the strategy asks too. */
function shaping({ horizon, label, barrier, rounds, learning_rate, leaves, least_in_leaf, seed }: Model['spec']) {
  return { horizon, label, barrier, rounds, learning_rate, leaves, least_in_leaf, seed }
}

/** It begins to trade where the first fold is tried, and learns again where the next one begins. */
function foldsOf({ data, folds, spec }: ModelCard) {
  const [first] = folds
  if (first === undefined) return {}
  const gap = spec.horizon + (spec.embargo ?? spec.horizon)
  const before = data.bars - data.rows + first.train_rows + first.stop_rows + 2 * gap
  const each = Math.round(folds.reduce((sum, { test_rows: rows }) => sum + rows, 0) / folds.length)
  return { first_training_bars: Math.max(500, before), retrain_every: Math.max(20, each) }
}

/** Without what binary fractions leave over. */
function plain(value: number) {
  return String(Math.round(value * 1e6) / 1e6)
}
