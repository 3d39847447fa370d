/** A training from the form to its start: what is wanted, what it would take, and what the server has against it. */
import { useQuery } from '@tanstack/vue-query'
import { computed, reactive, ref, watch } from 'vue'
import { ApiError, newIdempotencyKey } from '@/api/client'
import { estimateTraining, type ModelForm, modelsKey, type TrainingRange, trainModel, type TrainingWanted } from '@/api/models'
import { marketProblems } from '@/shared/marketForm'
import { useNow } from '@/shared/composables/useNow'
import { useSettled } from '@/shared/composables/useSettled'
import { defaultsOf, fieldsOf, problemsOf } from '@/shared/jsonSchema'
import { type TrainForm, wantedOf } from './trainForm'

const settleMilliseconds = 350

export function useTrainForm(begun: TrainForm, asked: ModelForm) {
  const now = useNow(30_000)
  const fields = fieldsOf(asked.form)
  const usual = { ...defaultsOf(fields), ...asked.defaults }
  const form = reactive<TrainForm>({ ...structuredClone(begun), spec: { ...usual, ...begun.spec } })

  const problems = computed(() => marketProblems(form, now.value))
  const wanted = computed<TrainingWanted | null>(() => {
    const isRight = Object.keys(problems.value).length === 0 && Object.keys(problemsOf(fields, form.spec)).length === 0
    return isRight ? wantedOf(form) : null
  })
  /** The name changes nothing of what it takes. */
  const question = computed<TrainingRange | null>(() => {
    if (wanted.value === null) return null
    const { series, start, end, spec } = wanted.value
    return { series, start, end, spec }
  })
  const settled = useSettled(question, settleMilliseconds)
  const isSettling = computed(() => JSON.stringify(settled.value) !== JSON.stringify(question.value))
  const estimate = useQuery(computed(() => ({
    queryKey: [...modelsKey, 'estimate', settled.value],
    queryFn: ({ signal }: { signal: AbortSignal }) => estimateTraining(settled.value as TrainingRange, signal),
    enabled: settled.value !== null,
    staleTime: 10_000,
    retry: false,
  })))

  const refusal = ref<unknown>(null)
  const isStarting = ref(false)
  watch(wanted, () => { refusal.value = null })
  // What was refused was this very question.
  const problem = computed(() => (question.value === null ? null : refusal.value ?? (isSettling.value ? null : estimate.error.value)))
  const errors = computed(() => (problem.value instanceof ApiError ? problem.value.errors : []))

  /** The first that the server says about a field, or about something in it. */
  function errorAt(pointer: string) {
    if (problem.value instanceof ApiError && problem.value.code === 'too_few_bars') return undefined // no field is wrong
    return errors.value.find((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`))?.detail
  }

  // Sent again after the answer was lost, the same training does not start twice.
  let sent = { body: '', key: '' }

  async function start() {
    if (wanted.value === null || isStarting.value) return null
    const body = JSON.stringify(wanted.value)
    if (sent.body !== body) sent = { body, key: newIdempotencyKey() }
    isStarting.value = true
    try {
      const started = await trainModel(wanted.value, sent.key)
      sent = { body: '', key: '' }
      return started
    } catch (error) {
      refusal.value = error
      return null
    } finally {
      isStarting.value = false
    }
  }

  return { form, usual, problems, wanted, isSettling, estimate, problem, errors, errorAt, isStarting, start }
}
