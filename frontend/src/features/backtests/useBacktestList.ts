/** The backtests that fit a filter, as many as were looked at, kept current by events and, without them, by asking. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, onScopeDispose, type Ref } from 'vue'
import { askTopAgain, hearOfBacktests, shortenLists } from '@/api/backtestCache'
import { type BacktestFilter, backtestKinds, type BacktestKind, backtestsQuery } from '@/api/backtests'
import { useTaskEvents } from '@/api/events'
import { pagesOf } from '@/api/pages'
import { useStream } from '@/api/stream'

const pollWithoutStream = 10_000
const fewPages = 2
const gatherMilliseconds = 300

export function useBacktestList(filter: Ref<BacktestFilter>) {
  const { liveness } = useStream()
  shortenLists()
  const query = useInfiniteQuery(computed(() => ({
    ...backtestsQuery(filter.value),
    placeholderData: keepPreviousData,
    refetchOnMount: 'always' as const,
    refetchInterval: ({ state: { data } }: { state: { data?: { pages: unknown[] } } }): number | false => {
      return liveness.value !== 'live' && (data?.pages.length ?? 0) <= fewPages ? pollWithoutStream : false
    },
  })))

  let timer: ReturnType<typeof setTimeout> | undefined
  useTaskEvents((events) => {
    const unknown = hearOfBacktests(events.filter(({ task }) => backtestKinds.includes(task.kind as BacktestKind)))
    if (unknown.length === 0 || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      void askTopAgain(filter.value)
    }, gatherMilliseconds)
  })
  onScopeDispose(() => { clearTimeout(timer) })

  return {
    ...pagesOf(query, 'Not exported: the other backtests could not be loaded'),
    /** The rows are those of the question before. */
    isOld: query.isPlaceholderData,
  }
}
