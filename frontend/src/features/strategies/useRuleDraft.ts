/** Rules that are being put together: the document, its text, and what the server says of both. They survive a reload. */
import { useQuery } from '@tanstack/vue-query'
import { computed, ref, shallowRef, toRaw, watch } from 'vue'
import { examinedQuery } from '@/api/strategies'
import { useSettled } from '@/shared/composables/useSettled'
import { isObject, type JsonObject } from './ruleTree'
import type { Problem } from './ruleEditor'

const restMilliseconds = 350

export interface Draft {
  name: string
  about: string
  note: string
  rules: JsonObject
}

export function useRuleDraft(key: string, begin: Draft) {
  const storageKey = `tidemark.rules.${key}`
  const kept = stored(storageKey)
  const draft = kept ?? begin
  const name = ref(draft.name)
  const about = ref(draft.about)
  const note = ref(draft.note)
  const rules = shallowRef<JsonObject>(draft.rules)
  const text = ref(written(draft.rules))
  const textProblem = ref<string>()

  // Either side follows the other; what is typed is not written anew under the hand that types it.
  watch(rules, (now) => {
    if (parsed(text.value)?.written !== written(now)) text.value = written(now)
    textProblem.value = undefined
  })
  watch(text, (now) => {
    const found = parsed(now)
    textProblem.value = found === null ? 'This is no JSON object. Check commas, quotes and braces.' : undefined
    if (found !== null && found.written !== written(rules.value)) rules.value = found.rules
  })

  const settled = useSettled(rules, restMilliseconds)
  const query = useQuery(computed(() => ({ ...examinedQuery(settled.value), retry: 1 })))
  const isChecking = computed(() => toRaw(settled.value) !== rules.value || query.isFetching.value)
  const examined = query.data
  const problems = computed<readonly Problem[]>(() => examined.value?.errors ?? [])
  const isGood = computed(() => {
    return !isChecking.value && query.error.value === null && examined.value?.is_valid === true && textProblem.value === undefined
  })

  const now = computed<Draft>(() => ({ name: name.value, about: about.value, note: note.value, rules: rules.value }))
  const isChanged = computed(() => JSON.stringify(now.value) !== JSON.stringify(begin))
  watch(now, (value) => {
    if (isChanged.value) sessionStorage.setItem(storageKey, JSON.stringify(value))
    else sessionStorage.removeItem(storageKey)
  })

  function forget() { sessionStorage.removeItem(storageKey) }
  function discard() {
    ;[name.value, about.value, note.value, rules.value] = [begin.name, begin.about, begin.note, begin.rules]
    forget()
  }

  return {
    name, about, note, rules, text, textProblem, examined, problems, isChecking, isGood, isChanged, wasKept: kept !== null,
    checkError: query.error, checkAgain: () => { void query.refetch() }, forget, discard,
  }
}

function written(rules: JsonObject) {
  return JSON.stringify(rules, null, 2)
}

function parsed(text: string) {
  try {
    const rules = JSON.parse(text) as JsonObject
    return isObject(rules) ? { rules, written: written(rules) } : null
  } catch {
    return null
  }
}

function stored(key: string): Draft | null {
  try {
    const found = JSON.parse(sessionStorage.getItem(key) ?? 'null') as Draft | null
    return found !== null && isObject(found.rules) ? found : null
  } catch {
    return null
  }
}
