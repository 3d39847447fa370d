/** Takes whoever tried to send a form to the first field that is marked, also when it lies outside the window or is folded away. */
import { nextTick } from 'vue'

export async function showFirstMistake(form: HTMLElement | null) {
  await nextTick()
  const field = form?.querySelector<HTMLElement>('[aria-invalid=true]')
  if (!field) return
  const folded = field.closest('details')
  if (folded !== null) folded.open = true
  field.focus({ preventScroll: true })
  field.scrollIntoView({ block: 'center' })
}
