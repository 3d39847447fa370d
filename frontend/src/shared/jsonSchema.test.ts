/** JSON Schemas as pydantic writes them, read as fields. */
import { describe, expect, it } from 'vitest'
import { defaultsOf, fieldsOf, type JsonSchema, problemsOf } from './jsonSchema'

const schema: JsonSchema = {
  type: 'object',
  $defs: {
    Side: { type: 'string', title: 'Side', enum: ['long', 'short_only'] },
    Stop: { type: 'object', title: 'Stop', properties: { percent: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 100, title: 'Percent' } }, required: ['percent'] },
  },
  properties: {
    fast: { type: 'integer', title: 'Fast', description: 'Bars', unit: 'bars', minimum: 2, maximum: 100, default: 20 },
    width: { type: 'number', title: 'Width', minimum: 0.1, default: 2.5 },
    side: { $ref: '#/$defs/Side', default: 'long' },
    cap: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null, title: 'Cap' },
    at_once: { type: 'boolean', default: false },
    days: { type: 'array', items: { type: 'string', enum: ['mon', 'tue'] }, minItems: 1, default: ['mon'], title: 'Days' },
    stop: { $ref: '#/$defs/Stop' },
    either: { anyOf: [{ type: 'integer' }, { type: 'string' }], title: 'Either', default: 1 },
    note: { type: 'string', maxLength: 3, title: 'Note' },
  },
  required: ['stop', 'note'],
}
const fields = fieldsOf(schema)
const field = (name: string) => fields.find((one) => one.name === name)

describe('a property', () => {
  it('is the kind of field that its schema says, through references and null', () => {
    expect(Object.fromEntries(fields.map(({ name, kind }) => [name, kind]))).toEqual({
      fast: 'integer', width: 'number', side: 'choice', cap: 'integer', at_once: 'boolean', days: 'choices', stop: 'group', either: 'json', note: 'text',
    })
  })

  it('brings its words, unit and bounds', () => {
    expect(field('fast')).toMatchObject({ label: 'Fast', hint: 'Bars', unit: 'bars', min: 2, max: 100, optional: false })
    expect(field('at_once')?.label).toBe('At once')
    expect(field('side')?.choices).toEqual([{ value: 'long', label: 'Long' }, { value: 'short_only', label: 'Short only' }])
    expect(field('cap')).toMatchObject({ optional: true, min: 1, default: null })
  })
})

it('begins with the defaults, also of groups', () => {
  expect(defaultsOf(fields)).toEqual({ fast: 20, width: 2.5, side: 'long', cap: null, at_once: false, days: ['mon'], stop: {}, either: 1 })
})

describe('a value', () => {
  const good = { ...defaultsOf(fields), stop: { percent: 5 }, note: 'abc' }

  it('within the bounds has no problem', () => {
    expect(problemsOf(fields, good, '/parameters')).toEqual({})
  })

  it.each([
    [{ fast: 1 }, { '/parameters/fast': 'The least is 2.' }],
    [{ fast: 2.5 }, { '/parameters/fast': 'Fast is a whole number.' }],
    [{ fast: 101 }, { '/parameters/fast': 'The most is 100.' }],
    [{ note: '' }, { '/parameters/note': 'Note is needed.' }],
    [{ note: 'abcd' }, { '/parameters/note': 'It may have 3 characters at most.' }],
    [{ stop: { percent: 0 } }, { '/parameters/stop/percent': 'It has to be more than 0.' }],
    [{ stop: { percent: 100 } }, { '/parameters/stop/percent': 'It has to be less than 100.' }],
    [{ stop: {} }, { '/parameters/stop/percent': 'Percent is needed.' }],
    [{ days: [] }, { '/parameters/days': 'Choose at least 1.' }],
    [{ cap: null }, {}],
  ])('%o is told as %o', (change, expected) => {
    expect(problemsOf(fields, { ...good, ...change }, '/parameters')).toEqual(expected)
  })
})
