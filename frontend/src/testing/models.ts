/** Models, their cards and what they predict, as the API answers them. */
import type { Interval, Metrics, ModelCard } from '@/api/modelCards'
import type { Drift, Model, ModelForm, ModelRow, Prediction, TrackRecord } from '@/api/models'

export const modelId = '6a0f3a52-1b77-4a0e-9d8d-2f5c9c6b7e10'
const predictionId = 'b7b9f7c2-55a1-4ac8-9a0a-94a3f8f4a001'

export const spec: Model['spec'] = {
  horizon: 12, label: 'direction', barrier: 1, folds: 2, embargo: null, rounds: 200, patience: 30, learning_rate: 0.05, leaves: 15,
  least_in_leaf: 100, cost_bps: 15, seed: 7,
}

const series = { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h' as const, adjustment: 'raw' as const }
const weak: Interval = { value: 0.512, low: 0.494, high: 0.531 }
const nothing: Interval = { value: 0.011, low: -0.021, high: 0.043 }

export function modelRow(change: Partial<ModelRow> = {}): ModelRow {
  return {
    id: modelId, name: 'BTC, half a day ahead', origin: 'person', state: 'champion', state_reason: 'The first model of this question.',
    series, question: 'direction:12', horizon: 12, label: 'direction', auc: weak, ic: nothing, is_trusted: false,
    headline: 'No signal: it tells up from down no better than a coin.', trained_until: '2026-11-20T09:00:00Z',
    proven_at: '2026-11-20T09:00:00Z', champion_since: '2026-11-20T09:31:00Z', retired_at: null, deleted_at: null,
    created_at: '2026-11-20T09:30:00Z', task_state: 'completed', failure: null, size_bytes: 184_320, predictions: 2, ...change,
  }
}

export function metrics(auc: Interval = weak, change: Partial<Metrics> = {}): Metrics {
  return {
    rows: 1_600, auc, log_loss: 0.6931, brier: 0.2501, accuracy: 0.504, base_accuracy: 0.506, ic: nothing, rank_ic: nothing, ...change,
  }
}

function fold(number: number, auc: Interval) {
  return {
    number, train_first: '2024-12-01T00:00:00Z', train_last: '2025-06-01T00:00:00Z', train_rows: 4_000 * number, stop_rows: 500,
    test_first: `2025-0${5 + number}-01T00:00:00Z`, test_last: `2025-0${6 + number}-01T00:00:00Z`, test_rows: 1_600, rounds: 34,
    metrics: metrics(auc),
  }
}

export function modelCard(change: Partial<ModelCard> = {}): ModelCard {
  return {
    card: 1, spec, question: 'direction:12', series,
    data: {
      first: '2024-11-20T00:00:00Z', last: '2026-11-20T08:00:00Z', known_until: '2026-11-20T09:00:00Z', bars: 17_520, rows: 17_300,
      content_hash: '9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e', is_simulated: true,
    },
    base_rate: 0.506,
    features: [{ name: 'rsi_14', group: 'reversion', about: 'Relative strength over 14 bars' }, { name: 'return_1', group: 'returns', about: 'The last return' }],
    folds: [fold(1, { value: 0.53, low: 0.505, high: 0.555 }), fold(2, { value: 0.495, low: 0.47, high: 0.52 })],
    pooled: metrics(weak, { rows: 3_200 }),
    spread: { auc: { mean: 0.5125, std: 0.0247, min: 0.495, max: 0.53 } },
    baselines: [
      { name: 'base_rate', title: 'The base rate', metrics: metrics({ value: 0.5, low: 0.5, high: 0.5 }, { log_loss: 0.6929, ic: { value: null, low: null, high: null } }) },
      { name: 'linear', title: 'A straight line', metrics: metrics({ value: 0.508, low: 0.49, high: 0.526 }) },
    ],
    controls: { shuffled: { auc: { value: 0.5, low: 0.482, high: 0.519 }, passed: true }, leaks: [] },
    calibration: [
      { low: 0.44, high: 0.48, predicted: 0.465, observed: 0.49, count: 900 },
      { low: 0.48, high: 0.55, predicted: 0.515, observed: 0.51, count: 2_300 },
    ],
    deciles: [
      { decile: 1, count: 320, probability: 0.46, return: -0.0004, after_costs: -0.0026, low: -0.0041, high: -0.0011 },
      { decile: 10, count: 320, probability: 0.55, return: 0.0021, after_costs: -0.0009, low: -0.0024, high: 0.0006 },
    ],
    importance: [
      { feature: 'return_1', group: 'returns', gain: 40, gain_share: 0.4, shap: 0.0123 },
      { feature: 'rsi_14', group: 'reversion', gain: 60, gain_share: 0.6, shap: 0.0345 },
    ],
    interval: { level: 0.9, coverage: 0.893 },
    verdict: {
      is_trusted: false, headline: 'No signal: it tells up from down no better than a coin.',
      reasons: [{ code: 'no_signal', text: 'The interval of its AUC holds 0.5: it may be chance.' }],
    },
    made: { seconds: 2.4, rounds: 34, seed: 7, threads: 1, versions: { tidemark: '1.2.3', forecaster: 'lightgbm 4.6.0' } },
    file: { sha256: 'c0ffee'.repeat(10), bytes: 184_320 },
    contest: null,
    ...change,
  }
}

export function trustedCard(): ModelCard {
  const strong: Interval = { value: 0.561, low: 0.54, high: 0.58 }
  return modelCard({
    pooled: metrics(strong, { log_loss: 0.681, ic: { value: 0.08, low: 0.05, high: 0.11 } }),
    deciles: [{ decile: 10, count: 320, probability: 0.61, return: 0.0064, after_costs: 0.0034, low: 0.0012, high: 0.0056 }],
    verdict: { is_trusted: true, headline: 'A small signal that held in all folds and pays its costs.', reasons: [] },
  })
}

export function model(change: Partial<Model> = {}): Model {
  return { ...modelRow(), spec, card: modelCard(), ...change }
}

export function training(change: Partial<Model> = {}): Model {
  return model({
    state: 'training', task_state: 'running', card: null, auc: null, ic: null, is_trusted: null, headline: null, trained_until: null,
    predictions: 0, ...change,
  })
}

export function prediction(change: Partial<Prediction> = {}): Prediction {
  return {
    id: predictionId, model_id: modelId, model_name: 'BTC, half a day ahead', series, as_of: '2026-11-20T09:00:00Z',
    entry_at: '2026-11-20T09:00:00Z', due_at: '2026-11-20T21:00:00Z', made_at: '2026-11-20T09:03:00Z', is_late: false, horizon: 12,
    probability_up: 0.531, expected_return: 0.0007, low: -0.021, high: 0.024, level: 0.9, is_trusted: false,
    reasons: [{ code: 'no_signal', text: 'The interval of its AUC holds 0.5: it may be chance.' }], model_age_bars: 41,
    contributions: [{ feature: 'rsi_14', value: 61.2, contribution: 0.08 }, { feature: 'return_1', value: -0.002, contribution: -0.03 }],
    outcome: null, waiting: 'It is measured at 2026-11-20 21:00 UTC.', ...change,
  }
}

export function scored(change: Partial<Prediction> = {}): Prediction {
  return prediction({
    id: 'a1b9f7c2-55a1-4ac8-9a0a-94a3f8f4a002', as_of: '2026-11-19T09:00:00Z', waiting: null,
    outcome: { realised_return: 0.004, went_up: true, log_loss: 0.633, is_inside: true, scored_at: '2026-11-19T21:01:00Z' }, ...change,
  })
}

export function trackRecord(change: Partial<TrackRecord> = {}): TrackRecord {
  return {
    predictions: 41, scored: 30, open: 11, waiting: 0, late: 0, hit_rate: 0.533, base_rate: 0.5, log_loss: 0.691, brier: 0.249,
    ic: { value: 0.03, low: -0.2, high: 0.26 }, interval_coverage: 0.9, mean_expected: 0.0004, mean_realised: 0.0001,
    text: '30 predictions are too few to tell skill from luck.', items: [scored()], ...change,
  }
}

export function drift(change: Partial<Drift> = {}): Drift {
  return {
    level: 'some', text: '1 of 2 features has moved.', psi: { rsi_14: 0.27, return_1: 0.03, sma_gap: 5.2, gap: null },
    usual: { rsi_14: 0.2, return_1: 0.02, sma_gap: 5.9, gap: null }, worst: [{ feature: 'rsi_14', psi: 0.27 }],
    bars: 500, as_of: '2026-11-20T09:00:00Z',
    freshness: { is_fresh: true, reason: 'It knows the market up to 41 bars ago.', age_bars: 41 }, ...change,
  }
}

export const modelForm: ModelForm = {
  defaults: { ...spec, folds: 5 },
  form: {
    type: 'object',
    $defs: { LabelKind: { type: 'string', enum: ['direction', 'triple_barrier'] } },
    properties: {
      horizon: { type: 'integer', title: 'Horizon', unit: 'bars', default: 12, minimum: 1, maximum: 2_000 },
      label: { $ref: '#/$defs/LabelKind', title: 'Label', default: 'direction' },
      barrier: { type: 'number', title: 'Barrier', default: 1, exclusiveMinimum: 0, maximum: 20 },
      folds: { type: 'integer', title: 'Folds', default: 5, minimum: 2, maximum: 20 },
      embargo: { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }], title: 'Embargo', default: null },
      rounds: { type: 'integer', title: 'Rounds', default: 200, minimum: 5, maximum: 2_000 },
      cost_bps: { type: 'number', title: 'Costs', unit: 'bps', default: 15, minimum: 0, maximum: 1_000 },
    },
  },
}
