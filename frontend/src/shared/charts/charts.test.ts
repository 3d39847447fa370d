/** The rules behind the charts, without a canvas. */
import { beforeEach, describe, expect, it } from 'vitest'
import { breaksOf, changedFrom, orderedBars, rhythmOf, tickOf } from './bars'
import { sheer } from './colours'
import { cellWords, heatOf, heatScaleOf, stepped } from './heat'
import { arranged, shapeOf } from './indicatorPanes'
import { actionOf } from './keys'
import { layoutMarks, type Geometry } from './markLayout'
import { markBook, marksBetween, nextTrade, tradesBetween } from './marks'
import { compounded, shadesOf, yearsOf } from './months'
import { offsetsOf } from './offsets'
import { binsOf, spanOf, ticksOf } from './plot'
import { barAt, coversAll, positionsOf, presetPositions, presetsFor, revealing, viewOf, zoomed } from './range'
import type { Bars, Indicator, Mark } from './types'
import { dropView, keepView, keptView } from './viewStore'
import { readOutOf, spokenBar, spokenTrade } from './words'
import { momentText, tickText, zoneFor } from './zone'

const hour = 3_600_000
const day = 24 * hour
const start = Date.UTC(2026, 0, 5)

function hours(count: number, from = start): Bars {
  const ts = Array.from({ length: count }, (_, at) => from + at * hour)
  const close = ts.map((_, at) => 100 + at)
  const moved = (by: number) => close.map((value) => value + by)
  return { ts, open: moved(-1), high: moved(1), low: moved(-2), close, volume: close }
}

const plain = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false }

describe('bars', () => {
  it('are drawn as given while their times ascend', () => {
    const bars = hours(3)
    expect(orderedBars(bars)).toEqual({ ...bars, order: null })
  })

  it('are sorted otherwise, and of two at one time the later given counts', () => {
    const { ts, close, order } = orderedBars({ ts: [20, 10, 20], open: [1, 2, 3], high: [1, 2, 3], low: [1, 2, 3], close: [1, 2, 3] })
    expect([ts, Array.from(close as number[]), Array.from(order ?? [])]).toEqual([[10, 20], [2, 3], [1, 2]])
  })

  it('keep what is missing missing, never as 0', () => {
    const { close } = orderedBars({ ts: [2, 1], open: [1, 1], high: [1, 1], low: [1, 1], close: [null, 5] })
    expect(Array.from(close as number[])).toEqual([5, Number.NaN])
  })

  it('have the rhythm of most of their steps, and breaks where it stops', () => {
    const ts = [0, 1, 2, 3, 20, 21, 22].map((at) => at * hour)
    expect(rhythmOf(ts)).toBe(hour)
    expect(breaksOf(ts)).toEqual([4])
    expect(rhythmOf([5])).toBe(60_000)
  })

  it.each([[64_120, 1], [1.2345, 0.0001], [0, undefined]])('of about %d are written by steps of %s', (price, step) => {
    expect(tickOf([price])).toBe(step)
  })

  it('tell from which one on they changed', () => {
    const before = hours(5)
    expect(changedFrom(before, hours(7))).toBe(4)
    expect(changedFrom(before, hours(5))).toBe(5)
    const other = { ...hours(5), close: [100, 101, 999, 103, 104] }
    expect(changedFrom(before, other)).toBeNull()
    expect(changedFrom(before, hours(9, start - 4 * hour))).toBeNull()
    expect(changedFrom(before, { ...hours(5), close: [100, 101, 102, 103, 200] })).toBe(4)
  })
})

describe('a view', () => {
  const { ts } = hours(100)

  it('comes back to the same stretch when older bars were added before it', () => {
    const view = viewOf({ from: 10.5, to: 50 }, ts, hour, 'log')
    expect(view).toMatchObject({ scale: 'log', follows: false })
    expect(positionsOf(view, hours(140, start - 40 * hour).ts, hour)).toEqual({ from: 50.5, to: 90 })
  })

  it('that follows the newest bar goes with it, as wide as before', () => {
    const view = viewOf({ from: 50, to: 100 }, ts, hour, 'linear')
    const moved = positionsOf(view, hours(120).ts, hour)
    expect(moved && moved.to - moved.from).toBeCloseTo(50)
    expect(moved?.to).toBeGreaterThan(119)
  })

  it('of another time altogether counts for nothing', () => {
    expect(positionsOf({ from: 0, to: day, scale: 'linear', follows: false }, ts, hour)).toBeNull()
  })

  it('counts across a night as if it were one step', () => {
    const broken = [0, 1, 2, 20, 21].map((at) => at * hour)
    expect(positionsOf({ from: 2 * hour, to: 11 * hour, scale: 'linear', follows: false }, broken, hour)).toEqual({ from: 2, to: 2.5 })
  })

  it('offers the ranges that there are bars for', () => {
    expect(presetsFor(ts, hour)).toEqual(['1D', 'All'])
    expect(presetsFor([start], 60_000)).toEqual(['All'])
    expect(presetPositions('1D', ts).from).toBeCloseTo(74.5)
  })

  it('moves no further than it must to show a trade, and widens for a long one', () => {
    const positions = { from: 0, to: 50 }
    expect(revealing(positions, 10, 20)).toBe(positions)
    expect(revealing(positions, 55, 60)).toEqual({ from: 15, to: 65 })
    const wide = revealing(positions, 100, 200)
    expect([wide.from < 100, wide.to > 200]).toEqual([true, true])
  })

  it('zooms around a bar that stays where it is', () => {
    expect(zoomed({ from: 0, to: 40 }, 0.5, 10, 100)).toEqual({ from: 5, to: 25 })
    expect(zoomed({ from: 0, to: 5 }, 0.1, 2, 100)).toEqual({ from: 0, to: 5 })
  })

  it('shows everything while no bar lies outside, whatever the room beside them', () => {
    expect(coversAll(presetPositions('All', ts), ts.length)).toBe(true)
    expect(coversAll({ from: -0.5, to: 130 }, ts.length)).toBe(true)
    expect([coversAll({ from: 3, to: 100 }, ts.length), coversAll({ from: 0, to: 98 }, ts.length)]).toEqual([false, false])
  })

  it('finds the bar that a time is in', () => {
    expect([barAt(ts, start - 1), barAt(ts, start + hour + 1), barAt(ts, start + 500 * hour)]).toEqual([0, 1, 99])
  })
})

describe('a kept view', () => {
  beforeEach(() => { sessionStorage.clear() })
  it('comes back under its name, and nonsense does not', () => {
    const view = { from: 1, to: 2, scale: 'log' as const, follows: true }
    keepView('run', view)
    expect(keptView('run')).toEqual(view)
    expect(keptView('other')).toBeNull()
    dropView('run')
    expect(keptView('run')).toBeNull()
    sessionStorage.setItem('tidemark.chart.run', '{"from": 2, "to": 1, "scale": "log", "follows": true}')
    expect(keptView('run')).toBeNull()
    sessionStorage.setItem('tidemark.chart.run', '{')
    expect(keptView('run')).toBeNull()
  })
})

describe('a time zone', () => {
  it('changes its offset in the hour in which clocks change', () => {
    const change = Date.UTC(2026, 9, 25, 1)
    const { at } = offsetsOf('Europe/Berlin', Date.UTC(2026, 0, 1), Date.UTC(2026, 11, 31))
    expect([change - 1, change, Date.UTC(2026, 0, 2)].map((time) => at(time) / hour)).toEqual([2, 1, 1])
  })

  it('writes hours where the reader is, and sessions by their date', () => {
    const moment = Date.UTC(2026, 10, 20, 23, 30)
    expect(momentText(moment, hour, 'Europe/Berlin')).toBe('2026-11-21 00:30 UTC+1')
    expect(momentText(moment, day, zoneFor(day, 'Europe/Berlin'))).toBe('2026-11-20')
    expect([0, 1, 2, 3].map((kind) => tickText(moment, kind, 'Europe/Berlin'))).toEqual(['2026', 'Nov', '21', '00:30'])
  })
})

const trade = (index: number, from: number, to: number, profit = 1): Mark[] => [
  { time: start + from * hour, price: 100 + from, kind: 'entry', side: 'long', tradeIndex: index },
  { time: start + to * hour, price: 100 + to, kind: 'exit', side: 'long', tradeIndex: index, profit, label: `+$${profit}` },
]

describe('marks', () => {
  const { ts } = hours(100)
  const book = markBook([...trade(0, 5, 90), ...trade(1, 10, 12), ...trade(2, 60, 65), ...trade(3, 400, 401)], ts, hour)
  const geometry: Geometry = { width: 1_000, first: 0, last: 99, x: (bar) => bar * 10, y: (price) => price }

  it('outside of the bars are left out', () => {
    expect(book.trades.map(({ index }) => index)).toEqual([0, 1, 2])
  })

  it('in view are found by their bars', () => {
    const [from, to] = marksBetween(book, 10, 60)
    expect(book.marks.slice(from, to).map(({ bar }) => bar)).toEqual([10, 12, 60])
  })

  it('join trades that began before the view and end after it', () => {
    expect(tradesBetween(book, 20, 30).map(({ index }) => index)).toEqual([0])
    expect(tradesBetween(book, 95, 99)).toEqual([])
    expect(layoutMarks(book, null, { ...geometry, first: 20, last: 30 }).joins).toHaveLength(1)
  })

  it('step from trade to trade, from the view while none is chosen', () => {
    expect(nextTrade(book, null, 8, 1)?.index).toBe(1)
    expect(nextTrade(book, null, 8, -1)?.index).toBe(0)
    expect(nextTrade(book, 1, 0, 1)?.index).toBe(2)
    expect(nextTrade(book, 2, 0, 1)).toBeNull()
  })

  it('are labelled where no other label is', () => {
    const labelled = layoutMarks(book, null, geometry).spots.filter(({ label }) => label !== '')
    expect(labelled).toHaveLength(3)
    const crowded = markBook([...trade(0, 1, 20), ...trade(1, 2, 21)], ts, hour)
    expect(layoutMarks(crowded, null, geometry).spots.filter(({ label }) => label !== '')).toHaveLength(1)
  })

  it('that stand too close are thinned to a few for each stretch of pixels, the chosen trade apart', () => {
    const bars = hours(50_000)
    const many = markBook(Array.from({ length: 24_000 }, (_, at) => trade(at, at * 2, at * 2 + 1)).flat(), bars.ts, hour)
    const layout = layoutMarks(many, 12_345, { ...geometry, last: 49_999, x: (bar) => bar / 50 })
    expect(layout.isThinned).toBe(true)
    expect(layout.spots.length).toBeLessThan(1_000 / 6 * 2 + 10)
    expect(layout.spots.filter(({ isSelected }) => isSelected).map(({ mark }) => mark.tradeIndex)).toEqual([12_345, 12_345])
    expect(layout.joins).toHaveLength(1)
  })

  it('have a join that tells a loss of a short trade', () => {
    const short = trade(0, 1, 3).map((mark) => ({ ...mark, side: 'short' as const, profit: undefined }))
    expect(layoutMarks(markBook(short, ts, hour), null, geometry).joins[0]?.profit).toBe(-2)
  })
})

describe('the keyboard', () => {
  it.each([['ArrowLeft', { do: 'move', by: -1 }], ['End', { do: 'end', at: 'last' }], ['l', { do: 'log' }], [']', { do: 'trade', step: 1 }]])('%s acts', (key, action) => {
    expect(actionOf({ ...plain, key }, true)).toEqual(action)
  })

  it('leaves single keys alone when they are switched off, and the browser its own', () => {
    expect(actionOf({ ...plain, key: 'l' }, false)).toBeNull()
    expect(actionOf({ ...plain, key: 'ArrowLeft' }, false)).not.toBeNull()
    expect(actionOf({ ...plain, key: 'l', ctrlKey: true }, true)).toBeNull()
    expect(actionOf({ ...plain, key: 'toString' }, true)).toBeNull()
  })

  it('reads a bracket that AltGr wrote, and goes ten times as far with Shift', () => {
    expect(actionOf({ ...plain, key: '[', ctrlKey: true, altKey: true }, true)).toEqual({ do: 'trade', step: -1 })
    expect(actionOf({ ...plain, key: 'ArrowRight', shiftKey: true }, true)).toEqual({ do: 'move', by: 10 })
  })
})

describe('words', () => {
  const bars = orderedBars(hours(5))
  const moment = (time: number) => momentText(time, hour, 'UTC')

  it('read a bar aloud with its lines and marks', () => {
    const read = readOutOf(bars, 1, moment, 0.1)
    expect(spokenBar(bars, 1, read, [{ name: 'SMA 20', text: '99.5' }], ['long entry'])).toBe(
      '2026-01-05 01:00 UTC: close 101.0, +1.00%. Open 100.0, high 102.0, low 99.0, volume 101. SMA 20 99.5, long entry.')
  })

  it('say that a bar has no prices instead of reading dashes', () => {
    const holed = orderedBars({ ...hours(2), close: [100, null] })
    expect(spokenBar(holed, 1, readOutOf(holed, 1, moment), [], [])).toBe('2026-01-05 01:00 UTC: no prices.')
  })

  it('tell a trade, and that one is still open', () => {
    const book = markBook([...trade(6, 1, 3, 20), ...trade(7, 4, 5).slice(0, 1)], bars.ts, hour)
    const [closed, open] = book.trades
    expect(closed && spokenTrade(closed, 1, 2, moment)).toBe(
      'Trade 1 of 2, number 7, long, in at 101 on 2026-01-05 01:00 UTC, out at 103 on 2026-01-05 03:00 UTC, +$20.')
    expect(open && spokenTrade(open, 2, 2, moment)).toContain('still open')
  })
})

describe('indicators', () => {
  const one = (name: string, pane: string): Indicator => ({ name, pane, lines: [{ name, values: [1] }] })

  it('get four panes, and those for which none is left are named', () => {
    const { lines, panes, left } = arranged([one('sma', 'price'), ...['a', 'b', 'c', 'd', 'e'].map((name) => one(name, name)), one('a2', 'a')])
    expect(panes).toEqual(['a', 'b', 'c', 'd'])
    expect(left).toEqual(['e'])
    expect(lines.map(({ pane }) => pane)).toEqual([0, 1, 2, 3, 4, 1])
  })

  it('keep their series on the canvas while only values change', () => {
    const other = { ...one('sma', 'price'), lines: [{ name: 'sma', values: [2, 3] }] }
    expect(shapeOf(arranged([other]))).toBe(shapeOf(arranged([one('sma', 'price')])))
    expect(shapeOf(arranged([one('sma', 'own')]))).not.toBe(shapeOf(arranged([one('sma', 'price')])))
  })
})

describe('statistics', () => {
  it('have an edge at zero, so that no bin holds gains and losses', () => {
    const bins = binsOf([-0.011, -0.001, 0, 0.002, 0.019, Number.NaN], 5)
    expect(bins.some(({ from, to }) => from < -1e-12 && to > 1e-12)).toBe(false)
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(5)
    expect(binsOf([])).toEqual([])
    expect(binsOf([3])).toHaveLength(1)
  })

  it('stand on round numbers', () => {
    expect(ticksOf(0, 97, 5)).toEqual([0, 20, 40, 60, 80])
    expect(spanOf([null, 5, -10])[0]).toBeLessThan(-10)
    expect(spanOf([])).toEqual([0, 1])
  })

  it('compound months to years, and leave out what is missing', () => {
    expect(compounded([0.1, null, 0.1])).toBeCloseTo(0.21)
    const [year] = yearsOf([{ year: 2026, month: 2, value: 0.5 }, { year: 2026, month: 3, value: null }])
    expect([year?.months[0], year?.months[1], year?.months[2], year?.total]).toEqual([null, 0.5, null, 0.5])
    expect(shadesOf([0, null])(0)).toBe(0)
  })

  it('lets colours through by their share', () => {
    expect([sheer(`#${'0B7468'}`, 0.5), sheer('red', 0.5)]).toEqual(['rgba(11, 116, 104, 0.5)', 'red'])
  })
})

describe('a heat map', () => {
  const grid = { x: { name: 'fast', values: [5, 10] }, y: { name: 'slow', values: [20, 30] }, values: [[1, -2], [null, 3]] }

  it('knows the best cell, whichever way is better', () => {
    expect(heatScaleOf(grid, 'higher')).toEqual({ low: -2, high: 3, isDiverging: true, best: { x: 1, y: 1 } })
    expect(heatScaleOf(grid, 'lower').best).toEqual({ x: 1, y: 0 })
    expect(heatScaleOf({ ...grid, values: [[null]] }, 'higher').best).toBeNull()
  })

  it('shades losses apart from gains, on one measure', () => {
    const scale = heatScaleOf(grid, 'higher')
    expect(heatOf(3, scale)).toEqual({ token: 'gain', share: 1 })
    expect(heatOf(-1.5, scale)).toEqual({ token: 'loss', share: 0.5 })
    expect(heatOf(1, { low: 1, high: 1, isDiverging: false, best: null }).share).toBe(0.5)
  })

  it('says what a cell is, and walks no further than its borders', () => {
    expect(cellWords(grid, { x: 0, y: 1 }, String)).toBe('slow 30, fast 5: no result')
    expect(stepped(grid, { x: 1, y: 0 }, 'ArrowRight')).toEqual({ x: 1, y: 0 })
    expect(stepped(grid, { x: 1, y: 0 }, 'ArrowDown')).toEqual({ x: 1, y: 1 })
    expect(stepped(grid, { x: 1, y: 0 }, 'a')).toBeNull()
  })
})
