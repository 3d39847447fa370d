/** Where a form leads that could not be sent. */
import { expect, it, vi } from 'vitest'
import { showFirstMistake } from './firstMistake'

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
