/** The pages of a list that were asked for, as one list. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import type { AdminList } from '@/api/administration'
import { pagesOf } from '@/api/pages'
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

  return {
    ...pagesOf(query, `Not exported: some ${what} could not be loaded`),
    /** The rows are those of the question before. */
    isOld: useDelayed(() => query.isPlaceholderData.value),
    isFetching: query.isFetching,
  }
}
