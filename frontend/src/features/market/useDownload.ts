/** A download from the form to the start: what is wanted, what it would take, and what the server has against it. */
import { useQuery } from '@tanstack/vue-query'
import { computed, reactive, ref, watch } from 'vue'
import { ApiError, newIdempotencyKey } from '@/api/client'
import { type Adjustment, type Instrument, estimateFetch, instrumentsQuery, providersQuery, startFetch, type Timeframe, type Wanted } from '@/api/market'
import { useNow } from '@/shared/composables/useNow'
import { type Days, presetDays, problemsOf, spanOf } from '@/shared/dayRange'
import { useSettled } from '@/shared/composables/useSettled'
import { meantBy, placeOf, type Field } from './downloadErrors'

export interface DownloadForm extends Days {
  provider: string
  symbol: string
  timeframe: Timeframe | ''
  adjustment: Adjustment | ''
}

export function useDownload(begun: Partial<DownloadForm>) {
  const now = useNow(30_000)
  const form = reactive<DownloadForm>({
    provider: 'demo', symbol: '', timeframe: '1h', adjustment: 'raw', ...presetDays('year', now.value), ...begun,
  })
  const { data: providers, ...providersAsked } = useQuery(providersQuery)
  const provider = computed(() => providers.value?.find(({ name }) => name === form.provider))
  const dayProblems = computed(() => problemsOf(form, now.value))

  const wanted = computed<Wanted | null>(() => {
    const { timeframe, adjustment } = form
    const isComplete = form.symbol.trim() !== '' && provider.value?.unavailable === null && Object.keys(dayProblems.value).length === 0
    if (!isComplete || timeframe === '' || adjustment === '') return null
    return { provider: form.provider, symbol: form.symbol.trim(), timeframe, adjustment, ...spanOf(form) }
  })
  const settled = useSettled(wanted, 350)
  const isSettling = computed(() => JSON.stringify(settled.value) !== JSON.stringify(wanted.value))
  const estimate = useQuery(computed(() => ({
    queryKey: ['market', 'series', 'estimate', settled.value],
    queryFn: ({ signal }: { signal: AbortSignal }) => estimateFetch(settled.value as Wanted, signal),
    enabled: settled.value !== null,
    staleTime: 10_000,
    retry: false,
  })))

  const refusal = ref<unknown>(null)
  const isStarting = ref(false)
  const problem = computed(() => (wanted.value === null || isSettling.value ? null : refusal.value ?? estimate.error.value))

  const { data: named } = useQuery(computed(() => ({
    ...instrumentsQuery(form.provider, form.symbol.trim()), enabled: form.symbol.trim() !== '' && provider.value?.unavailable === null && !isSettling.value,
  })))
  const instrument = computed<Instrument | undefined>(() => named.value?.find(({ symbol }) => symbol === form.symbol.trim()))

  watch(wanted, () => { refusal.value = null })
  // What one provider has, another may not.
  watch(provider, (chosen) => {
    if (chosen === undefined) return
    if (form.timeframe === '' || !chosen.timeframes.includes(form.timeframe)) form.timeframe = chosen.timeframes.at(-1) ?? '1d'
    if (form.adjustment === '' || !chosen.adjustments.includes(form.adjustment)) form.adjustment = chosen.adjustments[0] ?? 'raw'
  }, { immediate: true })

  function errorOf(field: Field): string | undefined {
    const error = problem.value
    return error instanceof ApiError && placeOf(error) === field ? error.problemOf(field) ?? error.detail : undefined
  }

  async function start() {
    if (wanted.value === null || isStarting.value) return null
    isStarting.value = true
    try {
      return await startFetch(wanted.value, newIdempotencyKey())
    } catch (error) {
      refusal.value = error
      return null
    } finally {
      isStarting.value = false
    }
  }

  return {
    form, providers, providersAsked, provider, instrument, wanted, isSettling, isStarting, estimate, problem, start, errorOf,
    dayProblems,
    meant: computed(() => (problem.value instanceof ApiError ? meantBy(problem.value) : [])),
    /** What stands at no field. */
    general: computed(() => {
      const error = problem.value
      if (error === null) return null
      return error instanceof ApiError ? (placeOf(error) === null ? error : null) : error
    }),
  }
}
