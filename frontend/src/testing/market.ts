/** Market data as the API answers it. */
import type { Preview } from '@/api/barFiles'
import type { Bars, Coverage, Provider, Series } from '@/api/market'

export const seriesId = '0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a'

export function provider(change: Partial<Provider> = {}): Provider {
  return {
    name: 'demo', title: 'Simulated market', about: 'Computed bars.', timeframes: ['1h', '1d'], adjustments: ['raw'],
    is_simulated: true, unavailable: null, ...change,
  }
}

export function instrument(symbol = 'BTC/USDT') {
  return {
    provider: 'demo', symbol, name: 'Bitcoin, simulated', calendar: '24/7', currency: 'USDT', tick: 0.01, lot: 0.001,
    first_bar: '2015-01-01T00:00:00Z', is_simulated: true,
  }
}

export function series(change: Partial<Series> = {}): Series {
  return {
    id: seriesId, provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw', is_own: false,
    created_at: '2026-11-20T09:30:00Z',
    stored: {
      rows: 48, size_bytes: 2048, first: '2026-01-01T00:00:00Z', last: '2026-01-02T23:00:00Z', covered: [],
      content_hash: '9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e', source: 'demo', fetched_at: '2026-11-20T09:30:00Z', instrument: instrument(),
    },
    problem: null,
    ...change,
  }
}

export function coverage(change: Partial<Coverage> = {}): Coverage {
  return {
    cell_length: 'day',
    cells: [
      { start: '2026-01-01T00:00:00Z', expected: 24, present: 24 },
      { start: '2026-01-02T00:00:00Z', expected: 24, present: 20 },
    ],
    rows: 44, expected: 48, missing: 4,
    gaps: [{ start: '2026-01-02T04:00:00Z', end: '2026-01-02T08:00:00Z', bars: 4 }], gap_count: 1,
    suspects: [{ ts: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z', kind: 'outlier', detail: 'The close moves by +40%.' }],
    suspect_count: 1,
    ...change,
  }
}

export function bars(count = 3): Bars {
  const numbers = (first: number) => Array.from({ length: count }, (_, at) => first + at)
  return {
    ts: numbers(0).map((at) => Date.UTC(2026, 0, 1) + at * 3_600_000), open: numbers(100), high: numbers(102), low: numbers(99),
    close: numbers(101), volume: numbers(1), content_hash: 'abc', next_start: null,
  }
}

export function preview(change: Partial<Preview> = {}): Preview {
  return {
    name: 'my fund.csv', header: ['Date', 'Open', 'High', 'Low', 'Close'], columns: ['Date', 'Open', 'High', 'Low', 'Close'],
    reading: {
      columns: { open: 'Open', high: 'High', low: 'Low', close: 'Close' }, time: 'Date', time_of_day: null, style: 'iso', zone: 'UTC',
      decimal: '.', is_newest_first: false, notes: ['There is no volume; it is stored as 0.'],
    },
    timeframe: '1d', text: [['2026-01-05', '1', '3', '0.5', '2']],
    bars: [{ ts: '2026-01-05T00:00:00Z', open: 1, high: 3, low: 0.5, close: 2, volume: 0 }],
    rows: 10, bad_count: 0, bad: [], is_whole: true, ...change,
  }
}
