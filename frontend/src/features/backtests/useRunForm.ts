/** A run from the form to the start: what is wanted, what it would take, and what the server has against it. */
import { useQuery } from '@tanstack/vue-query'
import { computed, reactive, ref, type Ref, watch } from 'vue'
import { estimateRun, type RunEstimate, type RunWanted, startRun } from '@/api/backtests'
import { ApiError, newIdempotencyKey } from '@/api/client'
import { strategyQuery } from '@/api/strategies'
import { estimateStudy, startStudy, type StudyEstimate } from '@/api/studies'
import { useNow } from '@/shared/composables/useNow'
import { useSettled } from '@/shared/composables/useSettled'
import { defaultsOf, fieldsOf, problemsOf } from '@/shared/jsonSchema'
import { formProblems, type RunForm, wantedOf } from './runForm'
import { numberFields } from '@/shared/ruleNumbers'
import { type Mode, type StudyForm, studyOf } from './studyForm'

const settleMilliseconds = 350

interface Names { name: string, tags: readonly string[], parentId: string | null }

export function useRunForm(begun: RunForm, begunStudy: StudyForm, mode: Ref<Mode>) {
  const now = useNow(30_000)
  const form = reactive<RunForm>(structuredClone(begun))
  const study = reactive<StudyForm>(structuredClone(begunStudy))
  const strategyAsked = useQuery(computed(() => ({ ...strategyQuery(form.strategy), enabled: form.strategy !== '' })))
  const strategy = computed(() => (strategyAsked.data.value?.name === form.strategy ? strategyAsked.data.value : undefined))
  const isOwn = computed(() => strategy.value?.kind === 'own')
  const fields = computed(() => (strategy.value === undefined || isOwn.value ? [] : fieldsOf(strategy.value.parameters)))
  /** What a study can try out: of rules of one's own the numbers in them. */
  const triedFields = computed(() => (isOwn.value ? numberFields(strategy.value?.run.parameters.rules) : fields.value))

  // What an earlier run gave stays; what it did not give, and what another strategy has, is as usual.
  let begins = true
  watch(strategy, (chosen) => {
    if (chosen === undefined) return
    const known = new Set(fields.value.map(({ name }) => name))
    const given = begins ? Object.entries(form.parameters).filter(([name]) => known.has(name)) : []
    form.parameters = { ...defaultsOf(fields.value), ...Object.fromEntries(given) }
    if (!begins) study.tried = {}
    begins = false
  }, { immediate: true })

  const problems = computed(() => formProblems(form, now.value))
  const isComplete = computed(() => strategy.value !== undefined && Object.keys(problems.value).length === 0
    && Object.keys(problemsOf(fields.value, form.parameters, '/parameters')).length === 0)
  const wanted = computed<RunWanted | null>(() => {
    if (!isComplete.value || strategy.value === undefined) return null
    return wantedOf(form, isOwn.value ? strategy.value.run : { strategy: form.strategy, parameters: { ...form.parameters } })
  })

  /** What is tried out beside that; null while nothing is, or for a single run. */
  const tried = computed(() => (mode.value === 'single' ? null : studyOf(mode.value, study, triedFields.value)))
  const isReady = computed(() => wanted.value !== null && (mode.value === 'single' || tried.value !== null))
  const question = computed(() => (isReady.value ? { mode: mode.value, ...wanted.value, ...tried.value } : null))

  const settled = useSettled(question, settleMilliseconds)
  const isSettling = computed(() => JSON.stringify(settled.value) !== JSON.stringify(question.value))
  const estimate = useQuery(computed(() => ({
    queryKey: ['backtests', 'estimate', settled.value],
    queryFn: ({ signal }: { signal: AbortSignal }): Promise<RunEstimate | StudyEstimate> => {
      const run = wanted.value as RunWanted // a question is only asked while there is one
      return mode.value === 'single' || tried.value === null ? estimateRun(run, signal) : estimateStudy(mode.value, { ...run, ...tried.value }, signal)
    },
    enabled: settled.value !== null,
    staleTime: 10_000,
    retry: false,
  })))

  const refusal = ref<unknown>(null)
  const isStarting = ref(false)
  watch(question, () => { refusal.value = null })
  // What was refused was this very question.
  const problem = computed(() => (question.value === null ? null : refusal.value ?? (isSettling.value ? null : estimate.error.value)))
  const errors = computed(() => (problem.value instanceof ApiError ? problem.value.errors : []))

  /** The first that the server says about a field, or about something in it. */
  function errorAt(pointer: string) {
    return errors.value.find((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`))?.detail
  }

  // Sent again after the answer was lost, the same run does not start twice.
  let sent = { body: '', key: '' }

  async function start({ name, tags, parentId }: Names) {
    if (wanted.value === null || !isReady.value || isStarting.value) return null
    const body = { ...wanted.value, ...tried.value, name: name.trim() || null, tags: [...tags], parent_id: parentId }
    const text = mode.value + JSON.stringify(body)
    if (sent.body !== text) sent = { body: text, key: newIdempotencyKey() }
    isStarting.value = true
    try {
      const started = mode.value === 'single' || tried.value === null
        ? await startRun(body, sent.key)
        : await startStudy(mode.value, { ...body, ...tried.value }, sent.key)
      sent = { body: '', key: '' }
      return started
    } catch (error) {
      refusal.value = error
      return null
    } finally {
      isStarting.value = false
    }
  }

  return {
    form, study, triedFields, strategyAsked, strategy, problems, wanted, tried, isReady, isSettling, estimate, problem, errors, errorAt,
    isStarting, start,
  }
}
