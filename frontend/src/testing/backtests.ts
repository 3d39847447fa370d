/** Backtests and strategies as the API answers them. */
import type { Backtest, BacktestFilter, BacktestRow } from '@/api/backtests'
import type { Strategy } from '@/api/strategies'

export const backtestId = '3f6a1d52-8f0e-4a53-9a53-0c6f7f0a9d11'

export function backtestRow(change: Partial<BacktestRow> = {}): BacktestRow {
  return {
    id: backtestId, kind: 'backtest', state: 'completed', name: 'sma_cross on BTC/USDT, 1h', tags: [], is_starred: false, has_notes: false,
    is_partial: false, archived_at: null, deleted_at: null, created_at: '2026-11-20T09:30:00Z', started_at: '2026-11-20T09:30:01Z',
    finished_at: '2026-11-20T09:30:03Z', failure: null, parent_id: null, strategy: 'sma_cross', provider: 'demo', timeframe: '1h',
    symbols: ['BTC/USDT'], summary: { total_return: 0.124, sharpe_ratio: 0.81, max_drawdown: -0.213, trades: 87 }, ...change,
  }
}

export const runConfig = {
  strategy: 'sma_cross',
  parameters: { fast: 10, slow: 30 },
  series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }],
  start: '2023-01-01T00:00:00Z',
  end: '2023-07-01T09:30:00Z',
  trading: {
    cash: 5000,
    costs: { maker_bps: 2, taker_bps: 4, minimum_fee: 0, slippage_bps: 0, spread_bps: 0, impact_bps: 0, borrow_percent_a_year: 0 },
    sizing: { method: 'risk', percent: 1.5, amount: null, volatility_bars: 20 },
    execution: { sides: 'both', intrabar: 'neutral', detail: null, limit_life_bars: null, stop_percent: 3, target_percent: null, trail_percent: null, volume_percent: null, remainder: 'carry', leverage: 2, most_positions: null },
  },
  seed: 7,
}

export function backtest(change: Partial<Backtest> = {}): Backtest {
  return { ...backtestRow(), notes: '', config: runConfig, figures: { statistics: {} }, manifest: null, trust: null, trials_now: null, ...change }
}

export const anyBacktest: BacktestFilter = {
  search: '', kinds: [], states: [], tags: [], strategy: '', isStarred: false, from: 'current', sort: 'created', isDescending: true,
}

export function strategy(change: Partial<Strategy> = {}): Strategy {
  return {
    name: 'sma_cross', title: 'SMA cross', kind: 'built_in', description: 'Long when the fast average crosses above the slow one.',
    markets: 'Trending markets', needs_symbols: false, version: null, updated_at: null, deleted_at: null,
    parameters: {
      type: 'object',
      properties: {
        fast: { type: 'integer', title: 'Fast', description: 'Bars of the fast average', unit: 'bars', default: 20, minimum: 2, maximum: 1000 },
        slow: { type: 'integer', title: 'Slow', description: 'Bars of the slow average', unit: 'bars', default: 50, minimum: 3, maximum: 2000 },
      },
    },
    plots: [], warmup: 49, longer_warmup: {}, source_hash: null, run: { strategy: 'sma_cross', parameters: {} }, rules: null, words: [], note: null, created_at: null,
    ...change,
  }
}
