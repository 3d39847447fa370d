/** Runs side by side: what is best, what differs, and what an interval says. */
import { describe, expect, it } from 'vitest'
import type { Comparison } from '@/api/backtestResults'
import { bestOf, idsIn, meaningOf, metricRows, settingRows, shortName, warningsOf } from './comparison'

const run = { id: 'a', name: 'One', strategy: 'sma_cross', symbols: ['BTC/USDT'], timeframe: '1h', currency: 'USDT', days: 365 }
const comparison: Comparison = {
  runs: [run, { ...run, id: 'b', name: 'Two' }],
  metrics: [
    { name: 'new_one', values: [1, 2], missing: [null, null], differs: true },
    { name: 'fees', values: [10, 10], missing: [null, null], differs: false },
    { name: 'sharpe', values: [0.5, null], missing: [null, 'The equity did not move.'], differs: true },
  ],
  config: [{ path: 'trading.costs.taker_bps', values: [10, 5] }, { path: 'parameters.slow', values: [50, 100] }],
  curves: { ts: [], equity: [[], []], drawdown: [[], []] }, correlation: [[1, 0.5], [0.5, 1]], differences: [], trades: [],
}

describe('a comparison', () => {
  it('lists figures as a result does, with the reasons of those that are missing', () => {
    expect(metricRows(comparison).map(({ label, texts, differs }) => [label, texts, differs])).toEqual([
      ['Sharpe', ['0.50', '—'], true], ['Fees', ['10.00 USDT', '10.00 USDT'], false], ['New one', ['1', '2'], true],
    ])
    expect(metricRows(comparison)[0]?.reasons).toEqual(['', 'The equity did not move.'])
  })

  it('names settings as the configuration does', () => {
    expect(settingRows(comparison).map(({ name, texts }) => [name, texts])).toEqual([
      ['Fee for market orders and stops', ['10 bps', '5 bps']], ['slow', ['50', '100']],
    ])
  })

  it('gathers settings in groups, and has a dash where a strategy lacks a parameter', () => {
    const config = [
      { path: 'end', values: ['2026-01-01T00:00:00Z', '2025-01-01T00:00:00Z'] },
      { path: 'parameters.fast', values: [null, 20] },
      { path: 'series.0.symbol', values: ['ETH/USDT', 'BTC/USDT'] },
      { path: 'series.1.symbol', values: [null, 'SOL/USDT'] }, { path: 'strategy', values: ['rsi', 'sma'] },
    ]
    const rows = settingRows({ ...comparison, config })
    expect(rows.map(({ group, name }) => `${group}: ${name}`)).toEqual([
      'What and when: Strategy', 'What and when: Symbol', 'What and when: Symbol 2', 'What and when: Up to, not including', 'Parameters: fast',
    ])
    expect([rows[4]?.texts, rows[4]?.reasons]).toEqual([['—', '20'], ['The strategy has no such parameter.', '']])
  })

  it('warns of other times and markets, and then calls no total the best', () => {
    expect(warningsOf(comparison)).toEqual([])
    const day = 86_400_000
    const first = Date.UTC(2025, 0, 2)
    const metrics = ['total_return', 'sharpe', 'cvar_95_seen'].map((name) => ({ name, values: [0.1, 0.2], missing: [null, null], differs: true }))
    const unlike: Comparison = {
      ...comparison, metrics, runs: [run, { ...run, id: 'b', symbols: ['ETH/USDT'] }],
      curves: {
        ts: [first, first + day, first + 2 * day], equity: [[100, 101, 102], [null, 100, 101]], drawdown: [[0, 0, 0], [null, 0, 0]],
      },
    }
    expect(warningsOf(unlike).map(({ title, text }) => `${title}. ${text.split('.')[0]}`)).toEqual([
      'Different stretches of time. 1: 2025-01-01 to 2025-01-03; 2: 2025-01-02 to 2025-01-03',
      'Different markets. 1: BTC/USDT; 2: ETH/USDT',
    ])
    expect(metricRows(unlike).map(({ label, best }) => [label, best])).toEqual([
      ['Total return', []], ['Sharpe', [1]], ['Mean of the worst 5 % of days', []],
    ])
  })

  it('knows what is best where more or less of it is better', () => {
    expect(bestOf('max_drawdown', [-0.3, -0.1, null])).toEqual([1])
    expect(bestOf('volatility', [0.3, 0.1])).toEqual([1])
    expect(bestOf('total_return', [0.2, 0.2])).toEqual([])
    expect(bestOf('trades', [1, 2])).toEqual([])
  })

  it('calls a difference chance while 0 lies in its interval', () => {
    expect([meaningOf(0.1, 0.4), meaningOf(-0.4, -0.1), meaningOf(-0.1, 0.4)].map(({ word }) => word)).toEqual(['Better', 'Worse', 'May be chance'])
  })

  it('reads its runs from the address, each once', () => {
    expect(idsIn('a,b,,a, c', 2)).toEqual({ ids: ['a', 'b'], dropped: 1 })
    expect(idsIn(undefined, 20)).toEqual({ ids: [], dropped: 0 })
    expect(shortName('sma_cross on BTC/USDT, 1h with slow', 2)).toBe('3. sma_cross on BTC/USDT, 1h …')
  })
})
