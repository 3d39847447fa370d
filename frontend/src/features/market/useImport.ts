/** An import from the file to the start: uploaded, looked at, corrected, and handed over. */
import { computed, onScopeDispose, reactive, ref, shallowRef, watch } from 'vue'
import { type Preview, previewImport, type Reading, startImport, type Upload, uploadFile, largestUploadBytes } from '@/api/barFiles'
import { ApiError, newIdempotencyKey } from '@/api/client'
import type { Adjustment, Timeframe } from '@/api/market'
import { bytes } from '@/shared/format'
import { useSettled } from '@/shared/composables/useSettled'
import { lackingIn, symbolOf } from './importForm'

export interface ImportForm {
  symbol: string
  timeframe: Timeframe | ''
  calendar: string
  currency: string
  adjustment: Adjustment | ''
  /** Empty while there are bad rows and nobody has decided. */
  badRows: '' | 'refuse' | 'leave'
}

export type Step = 'choose' | 'uploading' | 'map'

export function useImport(begun: { symbol?: string } = {}) {
  const step = ref<Step>('choose')
  const file = shallowRef<File | null>(null)
  const upload = shallowRef<Upload | null>(null)
  const share = ref(0)
  const preview = shallowRef<Preview | null>(null)
  const reading = shallowRef<Reading | null>(null)
  const form = reactive<ImportForm>({
    symbol: begun.symbol ?? '', timeframe: '', calendar: '24/7', currency: 'USD', adjustment: 'raw', badRows: '',
  })
  const isLooking = ref(false)
  const isStarting = ref(false)
  /** Why there is no preview, or why the import did not start. */
  const problem = shallowRef<unknown>(null)
  let uploading = new AbortController()
  let looking = new AbortController()

  const lacking = computed(() => (reading.value === null ? [] : lackingIn(reading.value)))
  const asked = computed(() => ({ reading: reading.value, timeframe: form.timeframe, calendar: form.calendar }))
  const settled = useSettled(asked, 300)
  /** What the preview that is shown was asked with. */
  let shownFor = ''

  async function choose(chosen: File) {
    problem.value = unfit(chosen)
    if (problem.value !== null) return
    reset()
    file.value = chosen
    step.value = 'uploading'
    uploading = new AbortController()
    const mine = uploading.signal
    try {
      upload.value = await uploadFile(chosen, { signal: mine, onProgress: (now) => { share.value = now } })
      if (form.symbol === '') form.symbol = symbolOf(chosen.name)
      await look(null)
      if (!mine.aborted) step.value = preview.value === null ? 'choose' : 'map'
    } catch (error) {
      if (mine.aborted) return
      problem.value = error
      step.value = 'choose'
    }
  }

  /** Puts a file that is on its way, or being looked at, out of hand. */
  function startOver() {
    uploading.abort()
    looking.abort()
    reset()
    problem.value = null
    step.value = 'choose'
  }

  function reset() {
    file.value = upload.value = preview.value = reading.value = null
    share.value = 0
    Object.assign(form, { timeframe: '', badRows: '' })
  }

  /** Without a reading the server finds one out. */
  async function look(corrected: Reading | null) {
    if (upload.value === null) return
    looking.abort()
    looking = new AbortController()
    const { signal } = looking
    const asking = { reading: corrected, timeframe: form.timeframe, calendar: form.calendar }
    isLooking.value = true
    try {
      const seen = await previewImport({
        upload_id: upload.value.upload_id, calendar: form.calendar, reading: corrected,
        ...(form.timeframe === '' ? {} : { timeframe: form.timeframe }),
      }, signal)
      if (signal.aborted) return
      problem.value = null
      preview.value = seen
      // A person's correction stays as it is; only what was found out is taken over.
      if (corrected === null) asking.reading = reading.value = seen.reading
      if (form.timeframe === '' && seen.timeframe !== null) asking.timeframe = form.timeframe = seen.timeframe
      shownFor = JSON.stringify(asking)
      if (seen.bad_count === 0 && (seen.is_whole || form.badRows === 'refuse')) form.badRows = ''
    } catch (error) {
      if (!signal.aborted) problem.value = error
    } finally {
      if (!signal.aborted) isLooking.value = false
    }
  }

  watch(settled, (now) => {
    const isShown = JSON.stringify(now) === shownFor
    if (step.value === 'map' && now.reading !== null && lacking.value.length === 0 && !isShown) void look(now.reading)
  })

  const badCount = computed(() => preview.value?.bad_count ?? 0)
  const goodCount = computed(() => (preview.value === null ? 0 : preview.value.rows - badCount.value))
  const mayStart = computed(() => {
    const isDecided = badCount.value === 0 || form.badRows === 'leave'
    const isNamed = form.symbol.trim() !== '' && form.timeframe !== '' && lacking.value.length === 0
    return preview.value !== null && isNamed && goodCount.value > 0 && isDecided && !isLooking.value
  })

  async function start() {
    const { value: kept } = upload
    const { timeframe, adjustment } = form
    if (!mayStart.value || isStarting.value || kept === null || reading.value === null || timeframe === '' || adjustment === '') return null
    isStarting.value = true
    problem.value = null
    try {
      return await startImport({
        upload_id: kept.upload_id, symbol: form.symbol.trim(), timeframe, adjustment, calendar: form.calendar,
        currency: form.currency.trim(), reading: reading.value, accept_bad_rows: form.badRows === 'leave',
      }, newIdempotencyKey())
    } catch (error) {
      problem.value = error
      return null
    } finally {
      isStarting.value = false
    }
  }

  function errorOf(field: string) {
    return problem.value instanceof ApiError ? problem.value.problemOf(field) : undefined
  }

  onScopeDispose(() => {
    uploading.abort()
    looking.abort()
  })

  return {
    step, file, upload, share, preview, reading, form, lacking, isLooking, isStarting, problem, badCount, goodCount, mayStart,
    choose, startOver, start, errorOf,
    correct: (corrected: Reading) => { reading.value = corrected },
  }
}

function unfit(file: File): Error | null {
  if (file.size === 0) return new Error('The file is empty. Choose another.')
  if (file.size <= largestUploadBytes) return null
  return new Error(`The file has ${bytes(file.size)}; at most ${bytes(largestUploadBytes)} are taken. Split it, or write it as Parquet.`)
}
