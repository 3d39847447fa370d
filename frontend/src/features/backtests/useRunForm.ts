/** A run from the form to the start: what is wanted, what it would take, and what the server has against it. */
import { useQuery } from '@tanstack/vue-query'
import { computed, reactive, ref, watch } from 'vue'
import { estimateRun, type RunWanted, startRun } from '@/api/backtests'
import { ApiError, newIdempotencyKey } from '@/api/client'
import { strategyQuery } from '@/api/strategies'
import { useNow } from '@/shared/composables/useNow'
import { useSettled } from '@/shared/composables/useSettled'
import { defaultsOf, fieldsOf, problemsOf } from '@/shared/jsonSchema'
import { formProblems, type RunForm, wantedOf } from './runForm'

const settleMilliseconds = 350

interface Names { name: string, tags: readonly string[], parentId: string | null }

export function useRunForm(begun: RunForm) {
  const now = useNow(30_000)
  const form = reactive<RunForm>(structuredClone(begun))
  const strategyAsked = useQuery(computed(() => ({ ...strategyQuery(form.strategy), enabled: form.strategy !== '' })))
  const strategy = computed(() => (strategyAsked.data.value?.name === form.strategy ? strategyAsked.data.value : undefined))
  const isOwn = computed(() => strategy.value?.kind === 'own')
  const fields = computed(() => (strategy.value === undefined || isOwn.value ? [] : fieldsOf(strategy.value.parameters)))

  // What an earlier run gave stays; what it did not give, and what another strategy has, is as usual.
  let begins = true
  watch(strategy, (chosen) => {
    if (chosen === undefined) return
    const known = new Set(fields.value.map(({ name }) => name))
    const given = begins ? Object.entries(form.parameters).filter(([name]) => known.has(name)) : []
    form.parameters = { ...defaultsOf(fields.value), ...Object.fromEntries(given) }
    begins = false
  }, { immediate: true })

  const problems = computed(() => formProblems(form, now.value))
  const isComplete = computed(() => strategy.value !== undefined && Object.keys(problems.value).length === 0
    && Object.keys(problemsOf(fields.value, form.parameters, '/parameters')).length === 0)
  const wanted = computed<RunWanted | null>(() => {
    if (!isComplete.value || strategy.value === undefined) return null
    return wantedOf(form, isOwn.value ? strategy.value.run : { strategy: form.strategy, parameters: { ...form.parameters } })
  })

  const settled = useSettled(wanted, settleMilliseconds)
  const isSettling = computed(() => JSON.stringify(settled.value) !== JSON.stringify(wanted.value))
  const estimate = useQuery(computed(() => ({
    queryKey: ['backtests', 'estimate', settled.value],
    queryFn: ({ signal }: { signal: AbortSignal }) => estimateRun(settled.value as RunWanted, signal),
    enabled: settled.value !== null,
    staleTime: 10_000,
    retry: false,
  })))

  const refusal = ref<unknown>(null)
  const isStarting = ref(false)
  watch(wanted, () => { refusal.value = null })
  const problem = computed(() => (wanted.value === null || isSettling.value ? null : refusal.value ?? estimate.error.value))
  const errors = computed(() => (problem.value instanceof ApiError ? problem.value.errors : []))

  /** The first that the server says about a field, or about something in it. */
  function errorAt(pointer: string) {
    return errors.value.find((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`))?.detail
  }

  // Sent again after the answer was lost, the same run does not start twice.
  let sent = { body: '', key: '' }

  async function start({ name, tags, parentId }: Names) {
    if (wanted.value === null || isStarting.value) return null
    const body = { ...wanted.value, name: name.trim() || null, tags: [...tags], parent_id: parentId }
    const text = JSON.stringify(body)
    if (sent.body !== text) sent = { body: text, key: newIdempotencyKey() }
    isStarting.value = true
    try {
      const started = await startRun(body, sent.key)
      sent = { body: '', key: '' }
      return started
    } catch (error) {
      refusal.value = error
      return null
    } finally {
      isStarting.value = false
    }
  }

  return { form, strategyAsked, strategy, isOwn, problems, wanted, isSettling, estimate, problem, errors, errorAt, isStarting, start }
}
