/** The pages of a list that were asked for, as one list. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import type { AdminList } from '@/api/administration'
import { facesOf } from '@/api/faces'
import { notify } from '@/shared/composables/notify'
import { useDelayed } from '@/shared/composables/useDelayed'

const fewPages = 2

interface Options<Item> {
  /** For the words: "users". */
  what: string
  query: () => AdminList<Item>
  /** How often it is asked again while what is shown may change by itself. */
  every?: (items: readonly Item[]) => number | false
}

export function useAdminList<Item extends { id: string }>({ what, query: asked, every }: Options<Item>) {
  const query = useInfiniteQuery(computed(() => ({
    ...asked(),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }: { state: { data?: { pages: { items: Item[] }[] } } }): number | false => {
      const pages = data?.pages ?? []
      return every !== undefined && pages.length <= fewPages ? every(pages.flatMap(({ items }) => items)) : false
    },
  })))

  // A line that moved between two pages may come with both.
  const rows = computed(() => {
    const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
    return [...new Map(items.map((item) => [item.id, item])).values()]
  })

  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error(`Not exported: some ${what} could not be loaded. Try again.`)
      throw new Error(`Some ${what} could not be loaded`)
    }
  }

  return {
    rows,
    faces: facesOf(query),
    /** The rows are those of the question before. */
    isOld: useDelayed(() => query.isPlaceholderData.value),
    isFetching: query.isFetching,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
