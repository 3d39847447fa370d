/** The lines of the audit log, as many as are needed: a search and an export look through all of them. */
import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed, watch } from 'vue'
import { keyEventsQuery } from '@/api/exchangeKeys'
import { facesOf } from '@/api/faces'
import { notify } from '@/shared/composables/notify'

export function useKeyEvents(needsAll: () => boolean) {
  const query = useInfiniteQuery(keyEventsQuery)
  // A line that moved between two pages comes with both.
  const events = computed(() => {
    const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
    return [...new Map(items.map((event) => [event.id, event])).values()]
  })

  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error('The older lines could not be loaded. Try again.')
      throw new Error('The older lines could not be loaded')
    }
  }

  watch(() => needsAll() && query.hasNextPage.value, (isNeeded) => { if (isNeeded) loadAll().catch(() => undefined) })

  return {
    events,
    faces: facesOf(query),
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
