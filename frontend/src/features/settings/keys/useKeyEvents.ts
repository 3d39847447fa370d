/** The lines of the audit log, as many as are needed: a search and an export look through all of them. */
import { useInfiniteQuery } from '@tanstack/vue-query'
import { watch } from 'vue'
import { keyEventsQuery } from '@/api/exchangeKeys'
import { pagesOf } from '@/api/pages'

export function useKeyEvents(needsAll: () => boolean) {
  const { rows: events, ...list } = pagesOf(useInfiniteQuery(keyEventsQuery), 'The older lines could not be loaded')
  watch(() => needsAll() && list.hasMore.value, (isNeeded) => { if (isNeeded) list.loadAll().catch(() => undefined) })
  return { events, ...list }
}
