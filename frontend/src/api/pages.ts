/** The pages of a list that were asked for, as one list, and the rest of them when all are needed. */
import { computed, type Ref } from 'vue'
import { notify } from '@/shared/composables/notify'
import { facesOf } from './faces'

interface Paged<Item> {
  data: Ref<{ pages: { items: Item[] }[] } | undefined>
  isFetching: Ref<boolean>
  error: Ref<Error | null>
  dataUpdatedAt: Ref<number>
  hasNextPage: Ref<boolean>
  isFetchingNextPage: Ref<boolean>
  fetchNextPage: () => Promise<{ isError: boolean }>
  refetch: () => Promise<unknown>
}

/** `failure` is what is told when the rest could not be loaded: "Some series could not be loaded". */
export function pagesOf<Item extends { id: string }>(query: Paged<Item>, failure: string) {
  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error(`${failure}. Try again.`)
      throw new Error(failure)
    }
  }

  return {
    // What moved between two pages may come with both.
    rows: computed(() => {
      const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
      return [...new Map(items.map((item) => [item.id, item])).values()]
    }),
    faces: facesOf(query),
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { if (query.hasNextPage.value && !query.isFetchingNextPage.value) void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
