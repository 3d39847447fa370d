/** Results of backtests as the API answers them. */
import type { Backtest, Manifest, RunConfig, TableRead } from '@/api/backtestResults'

export const backtestId = '3f6a1d52-8f0e-4a53-9a53-0c6f7f0a9d11'

export function runConfig(change: Partial<RunConfig> = {}): RunConfig {
  return {
    strategy: 'sma_cross', parameters: { fast: 20, slow: 50 }, seed: 0, start: '2023-01-01T00:00:00Z', end: '2024-01-01T00:00:00Z',
    series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }],
    trading: {
      cash: 10_000,
      costs: { maker_bps: 10, taker_bps: 10, minimum_fee: 0, slippage_bps: 5, spread_bps: 0, impact_bps: 0, borrow_percent_a_year: 0 },
      sizing: { method: 'all_in', percent: null, amount: null, volatility_bars: 20 },
      execution: {
        sides: 'long', intrabar: 'pessimistic', detail: null, limit_life_bars: null, stop_percent: null, target_percent: null,
        trail_percent: null, volume_percent: null, remainder: 'carry', leverage: 1, most_positions: null,
      },
    },
    ...change,
  }
}

export function manifest(change: Partial<Manifest> = {}): Manifest {
  const { trading, parameters, seed } = runConfig()
  return {
    format: 1, code: { version: '1.2.3', engine: 'e'.repeat(64), python: '3.11', numpy: '2', pandas: '3', numba: '0.6' },
    strategy: { name: 'sma_cross', origin: 'built in', source_hash: 's'.repeat(64) }, parameters, trading, seed,
    data: [{
      provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw', content_hash: 'c'.repeat(64), detail_hash: null, bars: 8760,
      first: '2023-01-01T00:00:00+00:00', last: '2023-12-31T23:00:00+00:00',
      instrument: { name: 'Bitcoin, simulated', calendar: '24/7', currency: 'USDT', tick: 0.01, lot: 0.001, is_simulated: true },
    }],
    outcome: { trades: 92, trades_hash: 't'.repeat(64), equity_hash: 'q'.repeat(64) },
    ...change,
  }
}

export function result(change: Partial<Backtest> = {}): Backtest {
  return {
    id: backtestId, kind: 'backtest', state: 'completed', name: 'Slow cross', tags: ['trend'], is_starred: false, has_notes: false,
    is_partial: false, archived_at: null, deleted_at: null, created_at: '2026-11-20T09:30:00Z', started_at: '2026-11-20T09:30:00Z',
    finished_at: '2026-11-20T09:30:04Z', failure: null, parent_id: null, strategy: 'sma_cross', provider: 'demo', timeframe: '1h',
    symbols: ['BTC/USDT'], summary: { total_return: 0.124, sharpe_ratio: 0.81, max_drawdown: -0.213, trades: 3 }, notes: '',
    config: runConfig(), manifest: manifest(),
    figures: {
      statistics: {
        total_return: 0.124, benchmark_return: 0.05, cagr: 0.12, sharpe: 0.81, max_drawdown: -0.213, win_rate: 0.5, payoff: 1.4, trades: 3,
        open_trades: 1, fees: 30, slippage: 15, financing: 0, net_profit: 955,
        start_equity: 10_000, end_equity: 11_240, break_even_bps: 31.4, volatility: 0.2,
      },
      missing: { omega: 'No day lost money, so there is nothing to divide by.' },
      groups: { weekday: [{ key: 'Monday', count: 3, won: 2, pnl: 955, mean_return: 0.01 }] },
      months: [{ month: '2023-01', value: 0.1 }, { month: '2023-02', value: 0.021818 }],
      notes: [{ text: 'The bars of BTC/USDT are simulated: no market ever made them.' }],
    },
    trust: {
      checks: [
        { code: 'trades', title: 'Number of trades', verdict: 'doubtful', sentence: '3 closed trades are few: below 30 luck says more than skill.' },
        { code: 'interval', title: 'Sharpe ratio\'s interval', verdict: 'good', sentence: 'It lies above 0.', facts: { low: 0.1, high: 1.5 } },
      ],
      band: [
        { mode: 'pessimistic', cost_times: 1, total_return: 0.124 }, { mode: 'optimistic', cost_times: 1, total_return: 0.2 },
        { mode: 'pessimistic', cost_times: 2, total_return: 0.05 },
      ],
      thorough: false,
    },
    trials_now: 1,
    ...change,
  }
}

/** `pnl` decides how many there are. */
export function tradesTable(pnl: readonly (number | null)[], change: Partial<TableRead> = {}): TableRead {
  const each = <Value>(make: (at: number) => Value) => pnl.map((_, at) => make(at))
  const time = (hours: number) => new Date(Date.UTC(2023, 0, 1) + hours * 3_600_000).toISOString().replace('.000Z', 'Z')
  return {
    total: pnl.length, first: 0, ...change,
    columns: {
      symbol: each((at) => (at % 2 === 0 ? 'BTC/USDT' : 'ETH/USDT')), side: each((at) => (at % 3 === 2 ? 'short' : 'long')),
      entry_time: each((at) => time(at * 10)), exit_time: each((at) => time(at * 10 + 5)),
      quantity: each(() => 2), entry_price: each(() => 100),
      exit_price: each(() => 110), pnl: [...pnl], return: pnl.map((value) => (value === null ? null : value / 200)), fees: each(() => 1),
      slippage: each(() => 0.5), financing: each(() => 0), mae: each(() => -0.02), mfe: each(() => 0.05), bars_held: each((at) => at + 1),
      is_open: each(() => false), entry_reason: each(() => 'crossed above'), exit_reason: each((at) => (at === 0 ? 'stop' : 'signal')),
      ...change.columns,
    },
  }
}
