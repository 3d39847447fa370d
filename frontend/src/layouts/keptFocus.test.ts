import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { keepFocus } from './keptFocus'

let stop: () => void

beforeEach(() => {
  document.body.innerHTML = `
    <main id="page" tabindex="-1">
      <section id="card"><ul><li><button id="end">End</button></li><li><button id="other">Other</button></li></ul></section>
    </main>
    <div id="dialog"><input id="field"></div>`
  stop = keepFocus()
})
afterEach(() => {
  stop()
  document.body.innerHTML = ''
})

const at = (id: string) => document.getElementById(id) as HTMLElement
const holder = () => document.activeElement?.id

it('goes to the card of a button that is gone', async () => {
  at('end').focus()
  at('end').closest('li')?.remove()
  await vi.waitFor(() => { expect(holder()).toBe('card') })
})

it('goes back to where one was before a dialog, or what is left around that', async () => {
  at('other').focus()
  at('field').focus()
  at('dialog').remove()
  await vi.waitFor(() => { expect(holder()).toBe('other') })
  at('card').remove()
  await vi.waitFor(() => { expect(holder()).toBe('page') })
})

it('stays away when it was given up, and when something else took it', async () => {
  at('end').focus()
  at('end').blur()
  at('dialog').remove()
  await new Promise((resolve) => { setTimeout(resolve, 80) })
  expect(document.activeElement).toBe(document.body)
  at('end').focus()
  at('end').remove()
  at('other').focus()
  await new Promise((resolve) => { setTimeout(resolve, 80) })
  expect(holder()).toBe('other')
})
