/** The backtests that fit a filter, as many as were looked at, kept current by events and, without them, by asking. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, onScopeDispose, type Ref } from 'vue'
import { askTopAgain, hearOfBacktests, shortenLists } from '@/api/backtestCache'
import { type BacktestFilter, backtestKinds, type BacktestKind, backtestsQuery } from '@/api/backtests'
import { useTaskEvents } from '@/api/events'
import { facesOf } from '@/api/faces'
import { useStream } from '@/api/stream'
import { notify } from '@/shared/composables/notify'

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

  // A backtest that moved into a page may come again with the next one.
  const rows = computed(() => {
    const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
    return [...new Map(items.map((row) => [row.id, row])).values()]
  })

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

  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error('Not exported: the other backtests could not be loaded. Try again.')
      throw new Error('The other backtests could not be loaded')
    }
  }

  return {
    rows,
    faces: facesOf(query),
    /** The rows are those of the question before. */
    isOld: query.isPlaceholderData,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { if (query.hasNextPage.value && !query.isFetchingNextPage.value) void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
