/** The fields as a person uses them: by label, by keyboard, by what is said when something is wrong. */
import userEvent from '@testing-library/user-event'
import { render, screen } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'
import { defineComponent, ref, type Component } from 'vue'
import CheckboxField from './CheckboxField.vue'
import CodeField from './CodeField.vue'
import NumberField from './NumberField.vue'
import PasswordField from './PasswordField.vue'
import RadioGroup from './RadioGroup.vue'
import SelectField from './SelectField.vue'
import SwitchField from './SwitchField.vue'
import TextField from './TextField.vue'

/** The field with its model held, as a form holds it. */
function hold<T>(component: Component, first: T, props: Record<string, unknown> = {}) {
  const value = ref(first)
  const emitted: unknown[] = []
  const holder = defineComponent({
    components: { Field: component as ReturnType<typeof defineComponent> },
    setup: () => ({ value, props, keep: (code: unknown) => emitted.push(code) }),
    template: '<Field v-bind="props" v-model="value" @complete="keep" />',
  })
  render(holder)
  return { value, emitted, user: userEvent.setup() }
}

describe('TextField', () => {
  it('ties its hint and its error to the input', () => {
    hold(TextField, '', { label: 'Name', hint: 'Shown in lists.', error: 'A name is needed.' })
    const input = screen.getByLabelText('Name')
    expect(input).toHaveProperty('ariaInvalid', 'true')
    const described = (input.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent)
    expect(described).toEqual(['A name is needed.', 'Shown in lists.'])
  })
})

describe('PasswordField', () => {
  it('shows and hides what is typed', async () => {
    const { user } = hold(PasswordField, 'secret-words')
    const input = screen.getByLabelText('Password')
    expect(input.getAttribute('type')).toBe('password')
    await user.click(screen.getByRole('button', { name: 'Show password' }))
    expect(input.getAttribute('type')).toBe('text')
    await user.click(screen.getByRole('button', { name: 'Hide password' }))
    expect(input.getAttribute('type')).toBe('password')
  })

  it('says how strong a new password is, and says nothing about a current one', async () => {
    const { user } = hold(PasswordField, '', { purpose: 'new' })
    await user.type(screen.getByLabelText('Password'), 'abc')
    expect(screen.getByText(/5 more characters needed/)).toBeTruthy()
    expect(screen.getByLabelText('Password').getAttribute('autocomplete')).toBe('new-password')
  })

  it('says once that a password cannot be used', () => {
    hold(PasswordField, 'abc', { purpose: 'new', error: 'Too short: use at least 8 characters.' })
    expect(screen.getAllByText(/Too short/)).toHaveLength(1)
    expect(screen.queryByRole('status')).toBeNull()
  })
})

describe('NumberField', () => {
  it('keeps every digit that is typed', async () => {
    const { value, user } = hold<string | null>(NumberField, null, { label: 'Price' })
    await user.type(screen.getByLabelText('Price'), '1,234.00000000000000000001')
    expect(value.value).toBe('1234.00000000000000000001')
  })

  it('steps exactly with arrows, and stays within its bounds', async () => {
    const { value, user } = hold<string | null>(NumberField, '0.1', { label: 'Fee', step: '0.2', min: '0', max: '1' })
    const input = screen.getByRole('spinbutton', { name: 'Fee' })
    input.focus()
    await user.keyboard('{ArrowUp}')
    expect(value.value).toBe('0.3')
    await user.keyboard('{PageUp}')
    expect(value.value).toBe('1.0')
    await user.keyboard('{PageDown}{PageDown}')
    expect(value.value).toBe('0.0')
  })

  it('says what is no number and what is too much', async () => {
    const { value, user } = hold<string | null>(NumberField, '5', { label: 'Fee', max: '10' })
    const input = screen.getByLabelText('Fee')
    await user.type(input, 'x')
    expect(screen.getByText(/not a number/)).toBeTruthy()
    expect(value.value).toBe('5')
    await user.clear(input)
    expect(value.value).toBeNull()
    await user.type(input, '11')
    expect(screen.getByText('The most is 10.')).toBeTruthy()
  })
})

describe('CodeField', () => {
  it('takes a pasted code with spaces, and says once that it is complete', async () => {
    const { value, emitted, user } = hold(CodeField, '')
    await user.click(screen.getByLabelText('Code'))
    await user.paste(' 482 910 ')
    expect(value.value).toBe('482910')
    expect(emitted).toEqual(['482910'])
  })

  it('refuses letters and more digits than there are', async () => {
    const { value, user } = hold(CodeField, '')
    await user.type(screen.getByLabelText('Code'), 'a1b2c3d4e5f6g7')
    expect(value.value).toBe('123456')
  })
})

describe('choices', () => {
  it('switches with the keyboard', async () => {
    const { value, user } = hold(SwitchField, false, { label: 'Shortcuts' })
    screen.getByRole('switch', { name: 'Shortcuts' }).focus()
    await user.keyboard(' ')
    expect(value.value).toBe(true)
  })

  it('ticks by its label', async () => {
    const { value, user } = hold(CheckboxField, false, { label: 'Keep me signed in' })
    await user.click(screen.getByText('Keep me signed in'))
    expect(value.value).toBe(true)
  })

  it('chooses one of several', async () => {
    const options = [{ value: 'open', label: 'Next open' }, { value: 'close', label: 'Same close' }]
    const { value, user } = hold(RadioGroup, 'open', { label: 'Fills', options })
    await user.click(screen.getByRole('radio', { name: 'Same close' }))
    expect(value.value).toBe('close')
  })

  it('selects by name', async () => {
    const options = [{ value: '1h', label: '1 hour' }, { value: '1d', label: '1 day' }]
    const { value, user } = hold(SelectField, '', { label: 'Timeframe', options, placeholder: 'Choose' })
    await user.selectOptions(screen.getByLabelText('Timeframe'), '1 day')
    expect(value.value).toBe('1d')
  })
})
