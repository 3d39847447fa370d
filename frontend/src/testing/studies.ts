/** Studies as the API answers them. */
import type { Backtest, RunConfig } from '@/api/backtestResults'
import type { SearchStudy, Trial } from '@/features/backtests/result/study'
import { result, runConfig } from './results'

export function sweepDocument(change: Partial<SearchStudy> = {}): SearchStudy {
  const trials = [trial(2, 10, 1.33), trial(1, 10, 0.02), trial(0, 5, 0.001), trial(3, 5, -0.4)]
  return {
    kind: 'sweep', method: 'grid', strategy: 'sma_cross', symbol: 'BTC/USDT', objective: { name: 'sharpe', more_is_better: true, least_trades: 10 },
    combinations: 6, trials: 4, trials_in_family: 5, ranked: 4, failed: 0, skipped: 2, skipped_why: 'fast is 32 and slow is 25; fast has to be less than slow.',
    is_cancelled: false, winner: trials[0] ?? null, median: trials[2] ?? null, warnings: [], best: trials, failures: [], heat_maps: [],
    judgement: { values: { trials: 4, trials_in_family: 5, winner: 1.33, median: 0.0105 }, missing: {} },
    histogram: { edges: [-0.4, 0.5, 1.33], counts: [3, 1] }, ...change,
  }
}

export function sweepConfig(): RunConfig {
  const plan = { objective: 'sharpe', least_trades: 10, trials: null }
  return runConfig({ study: { space: { fast: 'auto', slow: { from: 25, to: 100, step: 13 } }, plan }, parameters: { fast: 20, slow: 50, at_once: false } })
}

/** A finished sweep has neither trades nor equity of its own: no manifest, no trust. */
export function sweep(change: Partial<Backtest> = {}): Backtest {
  return result({
    kind: 'sweep', name: 'Sweep of sma_cross on BTC/USDT, 1h', config: sweepConfig(), manifest: null, trust: null, trials_now: null,
    figures: { study: { ...sweepDocument() }, bars: 8760 } as unknown as Backtest['figures'], ...change,
  })
}

function trial(number: number, fast: number, value: number): Trial {
  return { number, parameters: { fast, slow: 50 }, value, why: null, metrics: { sharpe: value, total_return: value / 2, trades: 40 } }
}
