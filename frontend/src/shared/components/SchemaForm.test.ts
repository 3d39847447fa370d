/** A form from a JSON Schema: typed into by a person, corrected by the server. */
import userEvent from '@testing-library/user-event'
import { fireEvent, render, screen } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'
import { defineComponent, ref } from 'vue'
import type { FieldProblem } from '@/api/client'
import type { JsonSchema } from '../jsonSchema'
import SchemaForm from './SchemaForm.vue'

const schema: JsonSchema = {
  type: 'object',
  $defs: { Exit: { type: 'object', title: 'Exit', properties: { stop: { type: 'number', title: 'Stop', exclusiveMinimum: 0 } } } },
  properties: {
    fast: { type: 'integer', title: 'Fast', description: 'Bars of it', unit: 'bars', minimum: 2, maximum: 100 },
    cap: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null, title: 'Cap' },
    kind: { enum: ['sma', 'ema'], type: 'string', title: 'Kind', default: 'sma' },
    at_once: { type: 'boolean', title: 'At once', default: false },
    days: { type: 'array', items: { enum: ['mon', 'tue'] }, title: 'Days' },
    exit: { $ref: '#/$defs/Exit' },
    rules: { type: 'object', title: 'Rules', additionalProperties: true } as JsonSchema,
  },
}

function show(values: Record<string, unknown>, errors: FieldProblem[] = []) {
  const held = ref(values)
  const Host = defineComponent({
    components: { SchemaForm },
    setup: () => ({ held, schema, errors }),
    template: '<SchemaForm v-model="held" :schema="schema" at="/parameters" :errors="errors" />',
  })
  render(Host)
  return held
}

describe('a form', () => {
  it('keeps numbers as numbers, and null where a value is left out', async () => {
    const held = show({ fast: 20, cap: 5 })
    const fast = screen.getByRole('spinbutton', { name: /^Fast/ })
    expect(fast.getAttribute('aria-valuetext')).toBe('20 bars')
    await userEvent.clear(fast)
    await userEvent.type(fast, '30')
    await userEvent.clear(screen.getByLabelText(/^Cap/))
    expect(held.value).toMatchObject({ fast: 30, cap: null })
  })

  it('chooses, switches, and gathers choices in the order of the schema', async () => {
    const held = show({ kind: 'sma', days: ['tue'] })
    await userEvent.selectOptions(screen.getByLabelText('Kind'), 'Ema')
    await userEvent.click(screen.getByLabelText('At once'))
    await userEvent.click(screen.getByLabelText('Mon'))
    expect(held.value).toMatchObject({ kind: 'ema', at_once: true, days: ['mon', 'tue'] })
  })

  it('goes into groups', async () => {
    const held = show({})
    await userEvent.type(screen.getByRole('spinbutton', { name: /^Stop/ }), '2.5')
    expect(held.value.exit).toEqual({ stop: 2.5 })
  })

  it('takes JSON where there is no field, and only JSON', async () => {
    const held = show({ rules: { a: 1 } })
    const box = screen.getByLabelText(/^Rules/)
    await fireEvent.update(box, '{"a": 2')
    expect(held.value.rules).toEqual({ a: 1 })
    expect(box.getAttribute('aria-invalid')).toBe('true')
    await fireEvent.update(box, '{"a": 2}')
    expect(held.value.rules).toEqual({ a: 2 })
  })

  it('shows what the server says at the field it points to, and above what concerns all', () => {
    show({ fast: 20 }, [
      { pointer: '/parameters/fast', detail: 'fast has to be less than slow.' },
      { pointer: '/parameters/rules/long/enter', detail: 'There is no indicator smaa.' },
      { pointer: '/parameters', detail: 'These do not go together.' },
    ])
    const describedBy = screen.getByRole('spinbutton', { name: /^Fast/ }).getAttribute('aria-describedby') ?? ''
    expect(document.getElementById(describedBy.split(' ')[0] ?? '')?.textContent).toContain('less than slow')
    expect(screen.getByText('There is no indicator smaa.')).toBeTruthy()
    expect(screen.getByRole('alert').textContent).toContain('These do not go together.')
  })
})
