/** Where a form leads that could not be sent. */
import { expect, it, vi } from 'vitest'
import { showFirstMistake, unfoldMistakes } from './firstMistake'

it('leads to the first field that is marked, and unfolds it', async () => {
  document.body.innerHTML = '<form><input id="fine"><details><summary>More</summary><input id="wrong" aria-invalid="true"></details><input aria-invalid="true"></form>'
  const scrolled = vi.fn()
  Element.prototype.scrollIntoView = scrolled
  await showFirstMistake(document.querySelector('form'))
  expect(document.activeElement?.id).toBe('wrong')
  expect(document.querySelector('details')?.open).toBe(true)
  expect(scrolled).toHaveBeenCalledOnce()
})

it('leaves the focus where it is while none is marked', async () => {
  document.body.innerHTML = '<form><input id="fine"></form>'
  document.querySelector('input')?.focus()
  await showFirstMistake(document.querySelector('form'))
  expect(document.activeElement?.id).toBe('fine')
})

it('opens every fold with a field that is marked, folds within folds too, and leaves the others as they are', () => {
  document.body.innerHTML = '<form><details><details><input aria-invalid="true"></details></details><details open></details><details></details></form>'
  unfoldMistakes(document.querySelector('form'))
  expect([...document.querySelectorAll('details')].map(({ open }) => open)).toEqual([true, true, true, false])
})
