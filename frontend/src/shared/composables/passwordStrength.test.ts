import { describe, expect, it } from 'vitest'
import { strengthOf } from './passwordStrength'

describe('strengthOf', () => {
  it.each([
    ['', 0], ['tide', 0], ['1234567', 0], ['password123', 1], ['aaaaaaaaaaaa', 1], ['abcdefghijkl', 1], ['Passw0rd!', 2],
    ['bluecrane7', 2], ['copper lantern orbit 42', 3], ['q7#Lm2!vZx9@Tw', 3],
  ])('gives %j the score %i', (password, score) => {
    expect(strengthOf(password).score).toBe(score)
  })

  it('says how much is missing', () => {
    expect(strengthOf('1234567').advice).toBe('1 more character needed.')
  })

  it('counts characters, not UTF-16 halves, and bytes at the other end', () => {
    expect(strengthOf('😀😀😀😀').label).toBe('Too short')
    expect(strengthOf('é'.repeat(37)).label).toBe('Too long')
  })
})
