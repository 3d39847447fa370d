/** Rules as the builder edits them, and what is shown of strategies, without a page. */
import { describe, expect, it } from 'vitest'
import { grammar, own, previewOf, rules, strategy } from '@/testing/strategies'
import { strategyCommands } from './copyCommands'
import { paragraphsOf } from './paragraphs'
import { parameterRows } from './parameterRows'
import { chartIndicators, signalMarks, signalRows } from './previewChart'
import { jsonLines, linesDiff } from './rulesDiff'
import {
  asKind, at, blank, errorAt, type Json, kindOf, kinds, moved, movedPath, pointerOf, valueAs, valueKindOf, withAt, withMore, without,
} from './ruleTree'
import { placeWords } from './ruleWords'

const condition = (name: string): Json => ({ op: 'pattern', pattern: name })
const [one, two, three] = [condition('1'), condition('2'), condition('3')]
const group = { long: { enter: { op: 'and', of: [one, two, three] }, exit: one } }
const enter = ['long', 'enter'] as const

describe('a place in the rules', () => {
  it.each([
    ['', 'The rules'], ['/stop_percent', 'Stop'], ['/short', 'Short'], ['/short/exit', 'Leave short'],
    ['/long/enter/of/0/right/parameters/period', 'Enter long, condition 1, second value: period'],
    ['/long/enter/of/1/of/left/ago', 'Enter long, condition 2, this condition, first value: bars ago'],
    ['/long/enter/of', 'Enter long'], ['/long/exit/days/3', 'Leave long: days'], ['/long/maybe', 'Long: maybe'], ['/other', 'other'],
  ])('that JSON calls %j is %s', (pointer, words) => { expect(placeWords(pointer)).toBe(words) })
})

describe('a document of rules', () => {
  it('is changed in one place and shared in all others', () => {
    const next = withAt(group, [...enter, 'of', 1, 'pattern'], 'other') as typeof group
    expect(at(next, [...enter, 'of', 1, 'pattern'])).toBe('other')
    expect(next.long.exit).toBe(group.long.exit)
    expect(at(group, [...enter, 'of', 1, 'pattern'])).toBe('2')
    expect(withAt({ stop_percent: 5 }, ['stop_percent'], undefined)).toEqual({})
    expect(withAt({}, ['long', 'enter'], one)).toEqual({ long: { enter: one } })
  })

  it('loses a condition, and a group that is left with one becomes it', () => {
    const fewer = without(group, [...enter, 'of', 0])
    expect(at(fewer, [...enter, 'of'])).toEqual([two, three])
    expect(at(without(fewer, [...enter, 'of', 0]), enter)).toEqual(three)
    expect(without({ long: { enter: one, exit: two } }, ['long', 'exit'])).toEqual({ long: { enter: one } })
    expect(without({ long: { enter: one, exit: two }, stop_percent: 1 }, enter)).toEqual({ stop_percent: 1 })
    expect(at(without({ long: { enter: { op: 'and', of: [one, { op: 'not', of: two }, three] } } }, [...enter, 'of', 1, 'of']), [...enter, 'of'])).toEqual([one, three])
  })

  it('moves a condition within its group and no further', () => {
    expect(at(moved(group, [...enter, 'of', 0], 1), [...enter, 'of'])).toEqual([two, one, three])
    expect(movedPath(group, [...enter, 'of', 2], 1)).toBeNull()
    expect(movedPath(group, enter, 1)).toBeNull()
    expect(moved(group, [...enter, 'of', 0], -1)).toBe(group)
  })

  it('gets one more condition beside another', () => {
    expect(withMore(group, enter).path).toEqual([...enter, 'of', 3])
    expect(at(withMore({ long: { enter: one } }, enter).document, enter)).toEqual({ op: 'and', of: [one, blank()] })
  })

  it('keeps what fits when a condition becomes another kind', () => {
    const joint = { op: 'and', of: [one, two] }
    expect(asKind(joint, 'or')).toEqual({ op: 'or', of: [one, two] })
    expect(asKind(joint, 'not')).toEqual({ op: 'not', of: joint })
    expect(asKind({ op: 'not', of: one }, 'for')).toEqual({ op: 'for', bars: 3, of: one })
    expect(asKind({ op: 'for', bars: 7, of: one }, 'within')).toEqual({ op: 'within', bars: 7, of: one })
    expect(asKind({ op: 'not', of: one }, 'pattern')).toEqual(one)
    expect(asKind(one, 'and')).toEqual({ op: 'and', of: [one, blank()] })
    for (const kind of kinds) expect(kindOf(blank(kind))).toBe(kind)
    expect(kindOf({ op: 'xor' })).toBeNull()
  })

  it('names each place as JSON does, and finds what is said of it', () => {
    expect(pointerOf(['long', 'of', 0, 'a/b~'])).toBe('/long/of/0/a~1b~0')
    const errors = [{ pointer: '/long/enter', detail: 'One.' }, { pointer: '/long/enter', detail: 'Two.' }, { pointer: '/long/enter/left', detail: 'Three.' }]
    expect(errorAt(errors, enter)).toBe('One. Two.')
    expect(errorAt(errors, ['long'])).toBeUndefined()
  })

  it('has values of three kinds', () => {
    for (const kind of ['number', 'price', 'indicator'] as const) expect(valueKindOf(valueAs(kind, grammar()))).toBe(kind)
    expect(valueAs('indicator', grammar())).toEqual({ indicator: 'sma', parameters: { period: 20 } })
    expect(valueKindOf({ number: 3 })).toBe('number')
    expect(valueKindOf('close')).toBeNull()
  })
})

describe('what is shown of a strategy', () => {
  it('differs line by line between versions, whatever the order of names', () => {
    expect(linesDiff(['a', 'b', 'c'], ['a', 'x', 'c', 'd'])).toEqual([
      { kind: 'same', text: 'a' }, { kind: 'removed', text: 'b' }, { kind: 'added', text: 'x' }, { kind: 'same', text: 'c' }, { kind: 'added', text: 'd' },
    ])
    expect(jsonLines({ b: 1, a: [{ d: 2, c: 3 }] })).toEqual(jsonLines({ a: [{ c: 3, d: 2 }], b: 1 }))
  })

  it('has parameters with bounds in words', () => {
    expect(parameterRows(strategy().parameters)).toEqual([{
      name: 'fast', title: 'Fast', description: 'Bars of the fast average', fallback: '20', bounds: '2 to 1,000', unit: 'bars',
    }])
    const odd = { $defs: { Side: { enum: ['long', 'short'] } }, properties: {
      side: { $ref: '#/$defs/Side', default: 'long' }, on: { type: 'boolean', default: false }, stop: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }], default: null },
    } }
    expect(parameterRows(odd).map(({ fallback, bounds }) => [fallback, bounds])).toEqual([['long', 'long, short'], ['no', 'yes or no'], ['none', 'above 0']])
  })

  it('joins the lines of a docstring that were broken for their length', () => {
    expect(paragraphsOf('Long when\n  it rises.\n\nFails often.\nWorks at times.')).toEqual(['Long when it rises.', 'Fails often.', 'Works at times.'])
  })

  it('can be run from a terminal or a notebook', () => {
    expect(strategyCommands(strategy()).cli).toMatch(/^tidemark backtest run --strategy sma_cross --provider demo --symbol BTC\/USDT --timeframe 1h /)
    expect(strategyCommands(strategy({ needs_symbols: true })).cli).toContain('--symbol BTC/USDT --symbol ETH/USDT')
    expect(strategyCommands(own()).cli).toContain(`-p 'rules=${JSON.stringify(rules)}'`)
  })

  it('has signals as rows, as marks and with the lines behind them', () => {
    const rows = signalRows(previewOf())
    expect(rows[0]).toEqual({ ts: Date.UTC(2026, 0, 1, 1), side: 'long', close: 3, reason: 'Enter long: it rises', stops: 'stop 5 %' })
    expect(signalMarks(rows).map(({ kind, side, tradeIndex }) => [kind, side, tradeIndex])).toEqual([['entry', 'long', 0], ['exit', 'long', 0]])
    const turned = signalMarks([...rows.slice(0, 1), { ts: 9, side: 'long' as const, close: 1, reason: '', stops: '' }, { ts: 10, side: 'short' as const, close: 1, reason: '', stops: '' }])
    expect(turned.map(({ kind, side, tradeIndex }) => `${kind} ${side} ${tradeIndex}`)).toEqual(['entry long 0', 'exit long 0', 'entry short 1'])
    expect(chartIndicators(previewOf())).toEqual([{ name: 'SMA (2)', pane: 'price', levels: [], lines: [{ name: 'SMA (2)', values: [null, 2.5, 3.5] }] }])
  })
})
