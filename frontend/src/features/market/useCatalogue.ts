/** The lines of the catalogue, as many as are needed: a search looks through all of them. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref, watch } from 'vue'
import { catalogueQuery } from '@/api/market'
import { pagesOf } from '@/api/pages'

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

  const { rows: series, ...list } = pagesOf(query, 'Some series could not be loaded')
  watch(() => needsAll() && list.hasMore.value, (isNeeded) => { if (isNeeded) list.loadAll().catch(() => undefined) })
  return { series, ...list }
}
