/** Curves on one axis, thinned without losing what matters. */
import { describe, expect, it } from 'vitest'
import { seriesLook } from './colours'
import { alignedCurves, drawdownOf, endOf, grownFrom, valueBy } from './curves'
import type { Curve } from './types'

describe('curves', () => {
  const curve = (ts: number[], values: (number | null)[]): Curve => ({ id: String(ts), name: 'x', ts, values })

  it('share one axis of times', () => {
    const { ts, columns } = alignedCurves([curve([1, 3], [10, 30]), curve([2, 3], [5, 6])])
    expect(ts).toEqual([1, 2, 3])
    expect(columns.map((column) => Array.from(column))).toEqual([[10, Number.NaN, 30], [Number.NaN, 5, 6]])
    expect(valueBy(columns[0] ?? [], 1)).toBe(10)
    expect(valueBy(columns[1] ?? [], 0)).toBeNull()
    expect([endOf([1, 2, null, Number.NaN]), endOf([null])]).toEqual([1, -1])
  })

  it('fall from their highest value so far', () => {
    expect(Array.from(drawdownOf([100, 120, 90, null, 130]))).toEqual([0, 0, -0.25, Number.NaN, 0])
    const known = { ...curve([1, 2], [100, 90]), drawdowns: [0, -0.3] }
    const { drawdowns } = alignedCurves([known, curve([1, 2], [100, 90])])
    expect(drawdowns.map((one) => Array.from(one as number[]))).toEqual([[0, -0.3], [0, 90 / 100 - 1]])
  })

  it('lose no peak and no valley when they are thinned', () => {
    const values = Array.from({ length: 200_000 }, (_, at) => (at === 77_777 ? -5 : at === 123_456 ? 999 : Math.sin(at / 900)))
    const { ts, columns } = alignedCurves([curve(values.map((_, at) => at), values)])
    expect(ts.length).toBeLessThanOrEqual(60_001)
    expect([ts.includes(77_777), ts.includes(123_456), ts.at(-1)]).toEqual([true, true, 199_999])
    expect(columns[0]?.length).toBe(ts.length)
  })

  it('keep the ends, peaks and valleys of each of them', () => {
    const ts = Array.from({ length: 50_000 }, (_, at) => at)
    const value = (at: number, which: number) => (at === 2_000 * which + 7 ? 50 : at === 2_000 * which + 9 ? -50 : 0)
    const waves = Array.from({ length: 20 }, (_, which) => curve(ts, ts.map((at) => value(at, which))))
    const thin = alignedCurves(waves)
    expect(thin.ts.length).toBeLessThanOrEqual(3_001)
    expect([thin.ts[0], thin.ts.at(-1)]).toEqual([0, 49_999])
    for (const column of thin.columns) expect([Math.max(...column as number[]), Math.min(...column as number[])]).toEqual([50, -50])
  })

  it('that grow are added to, and others drawn anew', () => {
    const before = alignedCurves([curve([1, 2], [1, 2])])
    expect(grownFrom(before, alignedCurves([curve([1, 2, 3], [1, 2, 3])]))).toBe(1)
    expect(grownFrom(before, alignedCurves([curve([1, 2, 3], [9, 2, 3])]))).toBeNull()
  })

  it('differ by colour, then by stroke', () => {
    const looks = Array.from({ length: 20 }, (_, at) => `${seriesLook(at).token} ${seriesLook(at).style}`)
    expect(new Set(looks).size).toBe(20)
    expect(seriesLook(0).dash).toEqual([])
  })
})
