/** The lines of the catalogue, as many as are needed: a search looks through all of them. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref, watch } from 'vue'
import { facesOf } from '@/api/faces'
import { catalogueQuery } from '@/api/market'
import { notify } from '@/shared/composables/notify'

const pageSize = 200
const whileWorking = 4_000

interface Options {
  provider: Ref<string>
  /** Bars are on their way, so that sizes and ranges change. */
  isWorking: () => boolean
  /** What is looked for may be in a line that is not loaded yet. */
  needsAll: () => boolean
}

export function useCatalogue({ provider, isWorking, needsAll }: Options) {
  const query = useInfiniteQuery(computed(() => ({
    ...catalogueQuery(provider.value, pageSize),
    placeholderData: keepPreviousData,
    refetchInterval: isWorking() ? whileWorking : false as const,
  })))

  // A line that moved between two pages may come with both.
  const series = computed(() => {
    const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
    return [...new Map(items.map((one) => [one.id, one])).values()]
  })

  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error('Some series could not be loaded. Try again.')
      throw new Error('Some series could not be loaded')
    }
  }

  watch(() => needsAll() && query.hasNextPage.value, (isNeeded) => { if (isNeeded) loadAll().catch(() => undefined) })

  return {
    series,
    faces: facesOf(query),
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
