/** Takes whoever tried to send a form to the first field that is marked, also when it lies outside the window or is folded away. */
import { nextTick } from 'vue'

export async function showFirstMistake(form: HTMLElement | null) {
  await nextTick()
  const field = form?.querySelector<HTMLElement>('[aria-invalid=true]')
  if (!field) return
  unfoldMistakes(form)
  field.focus({ preventScroll: true })
  field.scrollIntoView({ block: 'center' })
}

/** Opens every fold that holds a field that is marked. */
export function unfoldMistakes(form: HTMLElement | null) {
  for (const folded of form?.querySelectorAll('details') ?? []) folded.open ||= folded.querySelector('[aria-invalid=true]') !== null
}
