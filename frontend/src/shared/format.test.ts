/** The golden file that the Python twin is held to as well. */
import { describe, expect, it } from 'vitest'
import * as format from './format'
import golden from './format.golden.json'

type Writer = (...values: never[]) => string

const writers: Record<string, Writer> = {
  fixed: format.fixed,
  integer: format.integer,
  ratio: format.ratio,
  money: format.money,
  moneySigned: (value: format.Numeric, currency: string) => format.money(value, currency, { signed: true }),
  price: format.price,
  quantity: format.quantity,
  change: format.change,
  percent: format.percent,
  bps: format.bps,
  compact: format.compact,
  bytes: format.bytes,
  duration: format.duration,
  dateTime: format.dateTime,
  time: format.time,
  date: format.date,
  isoUtc: format.isoUtc,
  relativeTime: format.relativeTime,
}

describe('format', () => {
  it.each(golden.map((row) => ({ ...row, name: `${row.of}(${JSON.stringify(row.args).slice(1, -1)})` })))(
    '$name says $text',
    ({ of, args, text }) => {
      expect(writers[of]?.(...(args as never[]))).toBe(text)
    },
  )

  it('has golden cases for every writer', () => {
    expect(new Set(golden.map((row) => row.of))).toEqual(new Set(Object.keys(writers)))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, null])('writes a dash for %s', (value) => {
    expect(format.fixed(value, 2)).toBe(format.MISSING)
  })

  it('takes big integers and dates', () => {
    expect(format.integer(12345678901234567890n)).toBe('12,345,678,901,234,567,890')
    expect(format.isoUtc(new Date(0))).toBe('1970-01-01T00:00:00Z')
    expect(format.dateTime(new Date(Number.NaN))).toBe(format.MISSING)
  })

  it.each([
    ['+1.24%', 'up'], ['$3.00', 'up'], ['−0.01', 'down'], ['0.00%', 'flat'], ['—', 'missing'],
  ])('reads the direction of %s as %s', (text, direction) => {
    expect(format.directionOf(text)).toBe(direction)
  })
})
