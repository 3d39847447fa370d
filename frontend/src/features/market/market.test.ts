/** The rules behind the pages about data, without a page. */
import { describe, expect, it } from 'vitest'
import { ApiError } from '@/api/client'
import { coverage, preview, series } from '@/testing/market'
import { taskInFull } from '@/testing/tasks'
import { presetDays, problemsOf, spanOf } from '@/shared/dayRange'
import { timeframeName, timeframeSeconds } from '@/shared/timeframes'
import { catalogueCommands, fetchCommands } from './copyCommands'
import { demoMarket } from './demoMarket'
import { meantBy, placeOf as fieldOf } from './downloadErrors'
import { formIn } from './downloadQuery'
import { around, countsOf, findingsOf } from './findings'
import { heatMapOf, levelOf, wordsOf } from './heatMap'
import { lackingIn, placeOf, roleOf, symbolOf, withColumn } from './importForm'
import { latestSpan, stepOf } from './preview'
import { pathsOf, shapeOf } from './priceShape'
import { fileNameOf } from './fileName'
import { newestOfEach } from './transfers'
import { outcomeOf } from './transferWords'

const now = new Date('2026-11-27T04:00:00Z')

describe('the heat map', () => {
  it('has a row a month and a column a day', () => {
    const { columns, rows } = heatMapOf(coverage({ cells: [
      { start: '2026-01-31T00:00:00Z', expected: 24, present: 24 }, { start: '2026-02-01T00:00:00Z', expected: 24, present: 0 },
    ] }))
    expect(columns).toHaveLength(31)
    expect(rows.map(({ name }) => name)).toEqual(['Jan 2026', 'Feb 2026'])
    expect(rows[0]?.cells[30]).toMatchObject({ name: '2026-01-31', level: 'full', end: '2026-02-01T00:00:00.000Z' })
    expect(rows[1]?.cells[0]).toMatchObject({ level: 'missing', words: '24 of 24 bars missing' })
    expect(rows[1]?.cells[1]).toBeNull()
  })

  it.each([
    ['week', '2026-12-28T00:00:00Z', '2026', 51, '2027-01-04T00:00:00.000Z'],
    ['week', '2024-12-30T00:00:00Z', '2024', 52, '2025-01-06T00:00:00.000Z'],
    ['month', '2026-12-01T00:00:00Z', '2026', 11, '2027-01-01T00:00:00.000Z'],
    ['quarter', '2026-10-01T00:00:00Z', '2026', 3, '2027-01-01T00:00:00.000Z'],
    ['year', '2026-01-01T00:00:00Z', '2020s', 6, '2027-01-01T00:00:00.000Z'],
  ])('by the %s puts %s into row %s, column %i, until %s', (length, start, row, column, end) => {
    const map = heatMapOf({ cell_length: length, cells: [{ start, expected: 5, present: 5 }] })
    expect(map.rows.map(({ name }) => name)).toEqual([row])
    expect(map.rows[0]?.cells[column]?.end).toBe(end)
  })

  it('holds ten years of weeks, and no two of them in one cell', () => {
    const monday = (week: number) => new Date(Date.UTC(2016, 0, 4) + week * 7 * 86_400_000).toISOString()
    const cells = Array.from({ length: 521 }, (_, week) => ({ start: monday(week), expected: 7, present: 7 }))
    const filled = heatMapOf({ cell_length: 'week', cells }).rows.flatMap((row) => row.cells).filter((cell) => cell !== null)
    expect(filled).toHaveLength(521)
  })

  it.each([
    [0, 0, 'none', 'no bars are due'], [0, 3, 'full', '3 bars, none were due'], [1000, 0, 'missing', '1,000 of 1,000 bars missing'],
    [1000, 499, 'some', '501 of 1,000 bars missing, 49.90% there'], [1000, 500, 'most', '500 of 1,000 bars missing, 50.00% there'],
    [100_000, 99_999, 'nearly', '1 of 100,000 bars missing, 99.99% there'], [1000, 1000, 'full', 'complete, 1,000 bars'], [1, 1, 'full', 'complete, 1 bar'],
  ])('says of %i due and %i present: %s, %s', (expected, present, level, words) => {
    expect([levelOf({ expected, present }), wordsOf({ expected, present })]).toEqual([level, words])
  })
})

describe('a range', () => {
  it('of presets ends now, and keeps within the month', () => {
    expect(presetDays('month', new Date('2026-03-31T10:00:00Z'))).toEqual({ from: '2026-02-28', to: '' })
    expect(presetDays('five', now)).toEqual({ from: '2021-11-27', to: '' })
    expect(presetDays('all', now, '2015-01-01T00:00:00Z').from).toBe('2015-01-01')
    expect(presetDays('all', now).from).toBe('2000-01-01')
  })

  it('of days includes the last one', () => {
    expect(spanOf({ from: '2025-01-01', to: '2025-01-31' })).toEqual({ start: '2025-01-01T00:00:00Z', end: '2025-02-01T00:00:00Z' })
    expect(spanOf({ from: '2025-01-01', to: '' })).toEqual({ start: '2025-01-01T00:00:00Z' })
  })

  it.each([
    [{ from: '', to: '' }, 'from', 'Choose the first day.'],
    [{ from: '2025-02-30', to: '' }, 'from', 'Choose the first day.'],
    [{ from: '2026-11-28', to: '' }, 'from', 'It lies in the future: today is 2026-11-27.'],
    [{ from: '2025-01-02', to: '2025-01-01' }, 'to', 'It lies before the first day, 2025-01-02.'],
  ] as const)('%j is wrong at %s: %s', (days, field, words) => {
    expect(problemsOf(days, now)).toEqual({ [field]: words })
  })

  it('in an address is taken as far as it is one', () => {
    const query = { provider: 'demo', symbol: 'AAPL', timeframe: '1d', adjustment: 'none', from: '2025-13-01', to: '2025-01-01' }
    expect(formIn(query)).toEqual({ provider: 'demo', symbol: 'AAPL', timeframe: '1d', to: '2025-01-01' })
  })
})

describe('an error of a download', () => {
  const refused = (facts: object) => new ApiError({ status: 404, code: 'unknown_symbol', title: 'No', detail: '', ...facts })

  it('stands at its field, with what may have been meant', () => {
    const unknown = refused({ detail: 'demo has no symbol \'BTCUSDT\'. Did you mean \'BTC/USDT\' or \'BCH/USDT\'?' })
    expect([fieldOf(unknown), meantBy(unknown)]).toEqual(['symbol', ['BTC/USDT', 'BCH/USDT']])
    expect(meantBy(refused({ detail: 'demo has no symbol \'X\'.' }))).toEqual([])
    expect(fieldOf(refused({ code: 'invalid_input', errors: [{ pointer: '/start', detail: 'Too long.' }] }))).toBe('start')
    expect(fieldOf(refused({ code: 'vendor_busy' }))).toBeNull()
  })
})

describe('prices as a shape', () => {
  it('keep the spike of every stretch', () => {
    const flat = Array.from({ length: 1000 }, () => 10)
    const high = flat.map((price, at) => (at === 777 ? 99 : price))
    const shape = shapeOf({ ts: flat.map((_, at) => at), low: flat, close: flat, high }, 100)
    expect(shape.stretches).toHaveLength(100)
    expect([shape.low, shape.high]).toEqual([10, 99])
    expect(shape.stretches.at(-1)).toMatchObject({ start: 990, last: 999 })
  })

  it('lie in the middle where they never move, and fill the box where they do', () => {
    const two = (low: number, high: number) => shapeOf({ ts: [0, 1], low: [low, low], high: [high, high], close: [low, high] })
    expect(pathsOf(two(5, 5), 100, 50).line).toBe('M0 25L100 25')
    expect(pathsOf(two(5, 10), 100, 50)).toEqual({ line: 'M0 50L100 0', band: 'M0 0L100 0L100 50L0 50Z' })
  })

  it('begin so far back that a market with nights has as many bars', () => {
    expect(latestSpan(series(), 24)).toEqual({ start: '2026-01-02T00:00:00.000Z', end: '2026-01-03T00:00:00.000Z' })
    expect(latestSpan(series(), 5_000).start).toBe('2026-01-01T00:00:00.000Z')
    expect([stepOf([39_486.9]), stepOf([0.48])]).toEqual([1, 1e-5])
  })
})

describe('what was found', () => {
  it('is one list, gaps first, each with the stretch to fetch again', () => {
    const found = findingsOf(coverage())
    expect(found.map(({ kind, detail }) => [kind, detail])).toEqual([['gap', '4 bars are missing.'], ['outlier', 'The close moves by +40%.']])
    expect(found[1]?.span).toEqual({ start: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z' })
    expect([...countsOf(found)]).toEqual([['gap', 1], ['outlier', 1]])
    expect(around({ start: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z' }, 3_600, 2)).toEqual({
      start: '2026-01-01T08:00:00.000Z', end: '2026-01-01T13:00:00.000Z',
    })
  })
})

describe('a file', () => {
  const { reading } = preview()

  it('says which column is what, and which are lacking', () => {
    expect(preview().columns.map((column) => roleOf(column, reading))).toEqual(['Time', 'Open', 'High', 'Low', 'Close'])
    expect(roleOf('Date', { ...reading, time: '' })).toBe('')
    expect(lackingIn({ ...withColumn(reading, 'close', ''), time: '' })).toEqual(['Time', 'Close'])
    expect(withColumn(reading, 'volume', 'Vol').columns.volume).toBe('Vol')
  })

  it.each([['my fund (2).csv', 'MY-FUND-2'], ['_x.parquet', 'X'], ['BTC.csv', 'BTC'], ['???.csv', '']])('%s is called %s', (name, symbol) => {
    expect(symbolOf(name)).toBe(symbol)
  })

  it('names bad rows by their line, else by their place', () => {
    expect(placeOf({ row: 17, line: 19, reason: '', ts: null })).toBe('line 19')
    expect(placeOf({ row: 17, line: null, reason: '', ts: null })).toBe('row 18')
  })

  it('is saved under the name of its series', () => {
    expect(fileNameOf(series(), 'parquet')).toBe('demo-BTC_USDT-1h.parquet')
  })
})

describe('a task that brings bars', () => {
  const about = (id: string) => ({ series_id: id, series: { provider: 'demo', symbol: 'X', timeframe: '1h' } })

  it('counts only as the newest of its series, unless it is at work', () => {
    const tasks = [
      taskInFull({ id: 'old', state: 'cancelled', payload: about('a') }), taskInFull({ id: 'new', state: 'failed', payload: about('a') }),
      taskInFull({ id: 'other', state: 'failed', payload: about('b') }), taskInFull({ id: 'running', state: 'running', payload: about('a') }),
    ]
    const recent = [tasks[3], tasks[1], tasks[2], tasks[0]].filter((task) => task !== undefined)
    expect(newestOfEach(tasks, recent).map(({ id }) => id)).toEqual(['running', 'new', 'other'])
  })

  it.each([
    ['fetch', 'completed', { bars: 744, percent: 100 }, {}, 'Fetched 744 bars.'],
    ['fetch', 'completed', { bars: 1 }, { again: true }, 'Fetched 1 bar again.'],
    ['fetch', 'completed', { bars: 0 }, { again: true }, 'The provider has no bars there either, so the gap stays.'],
    ['fetch', 'cancelled', { bars: 1200, percent: 42.9 }, {}, 'It stopped at 42%. What came until then, 1,200 bars, is kept; resuming goes on from there.'],
    ['fetch', 'cancelled', null, {}, 'Nothing had come yet.'],
    ['import', 'completed', { rows: 58, bad_rows: 2 }, {}, 'Imported 58 bars, left out 2 bad rows.'],
    ['import', 'cancelled', null, {}, 'Nothing was stored.'],
    ['fetch', 'completed', null, {}, ''],
    ['fetch', 'running', null, {}, ''],
  ] as const)('%s %s with %j: %s', (kind, state, result, payload, words) => {
    expect(outcomeOf({ kind, state, result, payload })).toBe(words)
  })
})

describe('words and commands', () => {
  it('of timeframes', () => {
    expect([timeframeName('1h'), timeframeName('15m'), timeframeSeconds('4h'), timeframeSeconds('1w')]).toEqual(['1 hour', '15 minutes', 14_400, 604_800])
  })

  it('that can be pasted carry no secret, and what is in them cannot run', () => {
    expect(catalogueCommands('').curl).toBe(`curl -H "Authorization: Bearer $TIDEMARK_TOKEN" ${window.location.origin}/api/data/series`)
    const wanted = { provider: 'demo', symbol: 'A\'; rm x', timeframe: '1h', adjustment: 'splits', start: '2025-01-01T00:00:00Z', end: '2025-02-01T00:00:00Z' } as const
    expect(fetchCommands(wanted).cli).toBe('tidemark data fetch --provider demo --symbol \'A\'\\\'\'; rm x\' --timeframe 1h --start 2025-01-01 --end 2025-02-01 --adjustment splits')
  })

  it('of the demo market: two years of three markets', () => {
    expect(demoMarket(now).map(({ symbol, start }) => `${symbol} ${start.slice(0, 10)}`)).toEqual([
      'BTC/USDT 2024-11-01', 'ETH/USDT 2024-11-01', 'AAPL 2024-11-01',
    ])
  })
})
