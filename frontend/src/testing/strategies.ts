/** Strategies as the API answers them. */
import type { Grammar, Strategy, StrategyInBrief, StrategyPreview } from '@/api/strategies'

export const ownId = '0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a'
export const rules = { long: { enter: { op: '>', left: { price: 'close' }, right: { indicator: 'sma', parameters: { period: 50 }, output: 'sma' } } }, stop_percent: 5 }

export function brief(change: Partial<StrategyInBrief> = {}): StrategyInBrief {
  return {
    name: 'sma_cross', title: 'SMA cross', kind: 'built_in', description: 'Long when the fast average\ncrosses above.\n\nFails in sideways markets.',
    markets: 'Trending markets', needs_symbols: false, version: null, updated_at: null, deleted_at: null, ...change,
  }
}

export function strategy(change: Partial<Strategy> = {}): Strategy {
  return {
    ...brief(),
    parameters: { type: 'object', properties: { fast: { type: 'integer', title: 'Fast', description: 'Bars of the fast average', default: 20, minimum: 2, maximum: 1000, unit: 'bars' } } },
    plots: [{ indicator: 'sma', parameters: { period: 20 }, outputs: ['sma'], pane: 'price', levels: [] }],
    warmup: 49, longer_warmup: {}, source_hash: 'abc', run: { strategy: 'sma_cross', parameters: {} }, rules: null, words: [], note: null, created_at: null, ...change,
  }
}

export function own(change: Partial<Strategy> = {}): Strategy {
  return strategy({
    name: ownId, title: 'Mine', kind: 'own', description: 'My idea.', markets: '', version: 2, updated_at: '2026-11-20T09:30:00Z', created_at: '2026-11-20T09:30:00Z',
    parameters: { type: 'object', properties: {} }, rules, words: ['Enter long: the close price > SMA (50)', 'Stop: 5 % from the fill'], note: 'second',
    run: { strategy: 'rules', parameters: { rules } }, ...change,
  })
}

export function examined(change: object = {}) {
  return { is_valid: true, errors: [], rules, words: ['Enter long: the close price > SMA (50)'], indicators: ['sma'], timeframes: [], warmup: 49, longer_warmup: {}, least_bars: 50, ...change }
}

export function grammar(): Grammar {
  return {
    rules_schema: {}, prices: ['open', 'high', 'low', 'close', 'volume'], comparisons: ['>', '>=', '<', '<='], crossings: ['crosses_above', 'crosses_below'],
    days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], timeframes: ['1h', '1d'], deepest: 12, most_nodes: 200, most_bars: 1000, most_ago: 1000,
    indicators: [
      { name: 'sma', title: 'Simple moving average', group: 'trend', outputs: ['sma'], parameters: [{ name: 'period', title: 'Period', type: 'integer', default: 20, minimum: 2, maximum: 2000, unit: 'bars' }] },
      { name: 'macd', title: 'MACD', group: 'momentum', outputs: ['macd', 'signal'], parameters: [] },
    ],
    patterns: [{ name: 'engulfing', title: 'Engulfing', kind: 'candlestick', tells: 'both' }],
    examples: [{ title: 'Cross', rules: { long: { enter: { op: 'crosses_above', left: { price: 'close' }, right: { indicator: 'macd', output: 'signal' } } }, trail_percent: 4 } }],
  }
}

export function previewOf(): StrategyPreview {
  const ts = [0, 1, 2].map((hour) => Date.UTC(2026, 0, 1, hour))
  return {
    bars: { ts, open: [1, 2, 3], high: [2, 3, 4], low: [1, 2, 3], close: [2, 3, 4], volume: [1, 1, 1] },
    lines: [{ indicator: 'sma', title: 'SMA', parameters: { period: 2 }, output: 'sma', pane: 'price', levels: [], values: [null, 2.5, 3.5] }],
    lines_left_out: 0,
    signals: {
      ts: ts.slice(1), side: ['long', 'flat'], close: [3, 4], reason: [0, 1], stop_percent: [5, null], target_percent: [], trail_percent: [], stop: [], target: [], limit: [],
    },
    reasons: ['Enter long: it rises', 'Leave long: it fell'], warmup: 49, bars_before: 12, is_simulated: true,
  }
}
