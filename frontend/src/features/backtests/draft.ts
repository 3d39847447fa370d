/** What was typed into the form and not run yet, for as long as the tab is open; another person in it does not see it. */
import { isRecord } from '@/shared/jsonSchema'
import { newForm, type RunForm } from './runForm'

const key = (owner: string) => `tidemark.backtest-draft.${owner}`

export function draftOf(owner: string, now: Date): RunForm | null {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key(owner)) ?? 'null')
    // An older version may have kept less.
    return isRecord(kept) && Array.isArray(kept.symbols) && isRecord(kept.numbers) ? { ...newForm(now), ...kept } : null
  } catch {
    return null
  }
}

export function keepDraft(owner: string, form: RunForm) {
  try {
    sessionStorage.setItem(key(owner), JSON.stringify(form))
  } catch {
    // The storage is full or closed: then there is no draft.
  }
}

export function dropDraft(owner: string) {
  sessionStorage.removeItem(key(owner))
}
