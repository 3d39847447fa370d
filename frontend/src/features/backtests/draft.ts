/** What was typed into the form and not run yet, for as long as the tab is open; another person in it does not see it. */
import { isRecord } from '@/shared/jsonSchema'
import { newForm, type RunForm } from './runForm'
import { type StudyForm, studyKept } from './studyForm'

export interface Draft {
  form: RunForm
  study: StudyForm
}

const key = (owner: string) => `tidemark.backtest-draft.${owner}`

/** Where the form began: `from=…`, `strategy=…`. Without one any draft goes on; with one only a draft of the same beginning. */
export function draftOf(owner: string, origin: string, now: Date): Draft | null {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key(owner)) ?? 'null')
    if (!isRecord(kept) || (origin !== '' && kept.origin !== origin)) return null
    const { form } = kept
    // An older version may have kept less.
    if (!isRecord(form) || !Array.isArray(form.symbols) || !isRecord(form.numbers)) return null
    return { form: { ...newForm(now), ...form }, study: studyKept(kept.study) }
  } catch {
    return null
  }
}

export function keepDraft(owner: string, origin: string, { form, study }: Draft) {
  try {
    sessionStorage.setItem(key(owner), JSON.stringify({ origin, form, study }))
  } catch {
    // The storage is full or closed: then there is no draft.
  }
}

export function dropDraft(owner: string) {
  sessionStorage.removeItem(key(owner))
}
