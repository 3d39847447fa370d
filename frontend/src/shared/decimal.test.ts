import { describe, expect, it } from 'vitest'
import { parseDecimal, plainText, stepBy } from './decimal'

describe('stepBy', () => {
  it.each([
    ['0.1', '0.2', 1, '0.3'],
    ['10', '0.5', 1, '10.5'],
    ['0.3', '0.1', -3, '0.0'],
    ['-1', '0.25', -1, '-1.25'],
    ['99999999999999999999', '1', 1, '100000000000000000000'],
    ['nonsense', '1', 1, 'nonsense'],
  ])('moves %s by %s, %i times, to %s', (value, step, steps, result) => {
    expect(stepBy(value, step, steps)).toBe(result)
  })

  it('stops at the bounds', () => {
    expect(stepBy('9', '5', 1, '0', '10')).toBe('10')
    expect(stepBy('1', '5', -1, '0', '10')).toBe('0')
  })
})

describe('plainText', () => {
  it.each([['1,5', null], ['1e3', '1000'], ['-0', '0'], ['1234.50', '1234.50']])('writes %s as %s', (text, plain) => {
    const number = parseDecimal(text)
    expect(number && plainText(number)).toBe(plain)
  })
})
