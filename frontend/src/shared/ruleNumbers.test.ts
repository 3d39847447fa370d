import { describe, expect, it } from 'vitest'
import { reactive } from 'vue'
import { numberFields, withNumbers } from './ruleNumbers'

const rules = {
  long: {
    enter: {
      op: 'and',
      of: [
        { op: '>', left: { price: 'close', ago: 0, times: 1 }, right: { indicator: 'sma', parameters: { period: 20 }, ago: 3, times: 1 } },
        { op: 'weekday', days: ['mon'] },
        { op: '<', left: { indicator: 'rsi', parameters: { period: 14 } }, right: { number: 30.5 } },
      ],
    },
  },
  stop_percent: 3,
}

describe('numbers in rules', () => {
  it('are fields by where they stand, without what nobody changed', () => {
    expect(numberFields(rules).map(({ name, label, kind, default: usual }) => [name, label, kind, usual])).toEqual([
      ['long.enter.of.0.right.parameters.period', 'Long enter 1 right period', 'integer', 20],
      ['long.enter.of.0.right.ago', 'Long enter 1 right ago', 'integer', 3],
      ['long.enter.of.2.left.parameters.period', 'Long enter 3 left period', 'integer', 14],
      ['long.enter.of.2.right.number', 'Long enter 3 right', 'number', 30.5],
      ['stop_percent', 'Stop percent', 'integer', 3],
    ])
  })

  it('are put into a copy, and plain parameters beside the others', () => {
    const placed = withNumbers(reactive({ rules }), { 'long.enter.of.0.right.parameters.period': 40, 'stop_percent': 5 })
    const changed = { right: { parameters: { period: 40 } } }
    expect(placed).toMatchObject({ rules: { stop_percent: 5, long: { enter: { of: [changed, {}, {}] } } } })
    expect(Object.keys(placed)).toEqual(['rules'])
    expect(rules.stop_percent).toBe(3)
    expect(withNumbers({ fast: 1, slow: 9 }, { fast: 2 })).toEqual({ fast: 2, slow: 9 })
  })
})
