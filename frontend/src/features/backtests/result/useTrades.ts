/** The trades of a result: the first page at once, the rest behind it in pieces. A result without trades has no source. */
import { computed, onScopeDispose, ref, shallowRef, triggerRef, watch } from 'vue'
import { ApiError } from '@/api/client'
import type { ResultSource } from '@/api/backtestResults'
import { TradeStore } from './tradeStore'

const firstPage = 500
const piece = 20_000
/** What the page holds at most; more of them are in the files. */
export const mostTrades = 100_000

export function useTrades(source: () => ResultSource | null) {
  const store = shallowRef<TradeStore | null>(null)
  /** How many the run made, loaded or not. */
  const total = ref(0)
  const error = shallowRef<{ message: string, requestId?: string } | null>(null)
  const loading = ref(false)
  let leaving = new AbortController()
  let waiting: Promise<void> = Promise.resolve()

  watch(() => source()?.key, begin, { immediate: true })
  onScopeDispose(() => { leaving.abort() })

  function begin() {
    leaving.abort()
    leaving = new AbortController()
    store.value = null
    waiting = load(leaving.signal)
  }

  async function load(signal: AbortSignal) {
    const from = source()
    if (from === null) return
    loading.value = true
    error.value = null
    try {
      while (store.value === null || store.value.size < store.value.total) {
        const first = store.value?.size ?? 0
        const part = await from.trades(first, first === 0 ? firstPage : piece, signal)
        if (signal.aborted) return
        total.value = part.total
        store.value ??= new TradeStore(Math.min(part.total, mostTrades))
        const before = store.value.size
        store.value.append(part)
        triggerRef(store)
        if (store.value.size === before) break // fewer rows than were promised
      }
    } catch (problem) {
      if (signal.aborted) return
      error.value = problem instanceof ApiError
        ? { message: problem.explanation, requestId: problem.requestId }
        : { message: 'Something unexpected happened. Try again.' }
    } finally {
      if (!signal.aborted) loading.value = false
    }
  }

  function again() {
    if (!loading.value) waiting = load(leaving.signal)
    return waiting
  }

  return {
    store,
    total,
    size: computed(() => store.value?.size ?? 0),
    isWhole: computed(() => store.value !== null && store.value.size === store.value.total),
    loading,
    error,
    again,
    /** Resolves when all that the page holds is there; what failed is in `error`. */
    whole: () => waiting,
  }
}

export type Trades = ReturnType<typeof useTrades>
