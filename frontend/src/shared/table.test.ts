import { describe, expect, it } from 'vitest'
import { emptyView, isShown, keyTest, nextSort, orderOf, sortKey, type TableColumn } from './table'
import { writeCsv, writeJson } from './tableExport'

interface Trade { symbol: string | null, profit: string | null, at: string }
const symbol: TableColumn<Trade> = { id: 'symbol', header: 'Symbol', value: (trade) => trade.symbol, kind: 'choice' }
const profit: TableColumn<Trade> = { id: 'profit', header: 'Profit', value: (trade) => trade.profit, kind: 'number' }
const at: TableColumn<Trade> = { id: 'at', header: 'At', value: (trade) => trade.at, kind: 'time' }

const trade = (change: Partial<Trade> = {}): Trade => ({ symbol: 'SPY', profit: '1.5', at: '2026-11-20T14:32:10Z', ...change })

describe('order', () => {
  it('sorts decimals as numbers, with missing ones last both ways', () => {
    const keys = ['9.5', '10', null, '-3', 'NaN'].map((value) => sortKey(profit, trade({ profit: value })))
    expect(orderOf(keys, false)).toEqual([3, 0, 1, 2, 4])
    expect(orderOf(keys, true)).toEqual([1, 0, 3, 2, 4])
  })

  it('leaves equal rows as they came, both ways', () => {
    expect(orderOf([2, 1, 2, 1], false)).toEqual([1, 3, 0, 2])
    expect(orderOf([2, 1, 2, 1], true)).toEqual([0, 2, 1, 3])
  })

  it('begins numbers with the largest and text with the first, then turns, then stops', () => {
    expect(nextSort(profit, null)).toEqual({ id: 'profit', desc: true })
    expect(nextSort(profit, { id: 'profit', desc: true })).toEqual({ id: 'profit', desc: false })
    expect(nextSort(profit, { id: 'profit', desc: false })).toBeNull()
    expect(nextSort(symbol, { id: 'profit', desc: true })).toEqual({ id: 'symbol', desc: false })
  })
})

describe('filters', () => {
  it('takes whole days for times, the last one included', () => {
    const test = keyTest(at, { min: '2026-11-20', max: '2026-11-20' })
    const passes = (time: string) => test(sortKey(at, trade({ at: time })))
    expect(passes('2026-11-20T00:00:00Z')).toBe(true)
    expect(passes('2026-11-20T23:59:59.999Z')).toBe(true)
    expect(passes('2026-11-21T00:00:00Z')).toBe(false)
    expect(passes('2026-11-19T23:59:59Z')).toBe(false)
  })

  it('never lets a missing number through a range', () => {
    expect(keyTest(profit, { min: '-100' })(sortKey(profit, trade({ profit: null })))).toBe(false)
  })

  it('chooses whole words for choices', () => {
    expect(keyTest(symbol, 'SPY')(sortKey(symbol, trade()))).toBe(true)
    expect(keyTest(symbol, 'SP')(sortKey(symbol, trade()))).toBe(false)
  })

  it('hides optional columns until asked, and never a fixed one', () => {
    expect(isShown({ ...symbol, optional: true }, emptyView())).toBe(false)
    expect(isShown({ ...symbol, optional: true }, { ...emptyView(), columns: { symbol: true } })).toBe(true)
    expect(isShown({ ...symbol, fixed: true }, { ...emptyView(), columns: { symbol: false } })).toBe(true)
  })
})

describe('export', () => {
  it.each([
    ['=SUM(A1)', '"\'=SUM(A1)"'], ['+1+1', '"\'+1+1"'], ['-cmd', '"\'-cmd"'], ['@x', '"\'@x"'], ['\tx', '"\'\tx"'],
    [' =1+1', '"\' =1+1"'], ['-1.5', '-1.5'], ['+2', '+2'], ['1e-7', '1e-7'], ['a,b', '"a,b"'], ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'], ['plain', 'plain'], ['', ''],
  ])('writes the cell %j as %j', (value, cell) => {
    expect(writeCsv([symbol], [trade({ symbol: value })])).toBe(`symbol\r\n${cell}\r\n`)
  })

  it('keeps decimals exact, times in UTC and missing cells empty', () => {
    const rows = [trade({ profit: '0.10000000000000000001', at: '2026-11-20T15:32:10+01:00' }), trade({ profit: null })]
    expect(writeCsv([profit, at], rows)).toBe(
      'profit,at\r\n0.10000000000000000001,2026-11-20T14:32:10Z\r\n,2026-11-20T14:32:10Z\r\n',
    )
    expect(JSON.parse(writeJson([profit, at], rows))).toEqual([
      { profit: '0.10000000000000000001', at: '2026-11-20T14:32:10Z' }, { profit: null, at: '2026-11-20T14:32:10Z' },
    ])
  })
})
