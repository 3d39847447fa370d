/** The tasks that fit a filter, as many as were loaded, kept current by events and, without them, by asking. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { facesOf } from '@/api/faces'
import { useStream } from '@/api/stream'
import { type Task, type TaskFilter, tasksQuery } from '@/api/tasks'
import { notify } from '@/shared/composables/notify'

const pageSize = 100
const pollWithoutStream = 10_000
const pollWhileQueued = 15_000
const fewPages = 2

export function useTaskList(filter: Ref<TaskFilter>) {
  const { liveness } = useStream()
  const query = useInfiniteQuery(computed(() => ({
    ...tasksQuery(filter.value, pageSize),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }: { state: { data?: { pages: { items: Task[] }[] } } }): number | false => {
      if (liveness.value !== 'live') return pollWithoutStream
      // Events tell every change; only what a queued task waits for, and for how long, changes without one.
      const pages = data?.pages ?? []
      const isQueued = pages.some(({ items }) => items.some((task) => task.state === 'queued'))
      return isQueued && pages.length <= fewPages ? pollWhileQueued : false
    },
  })))

  // A task that moved into a page may come again with the next one.
  const tasks = computed(() => {
    const items = query.data.value?.pages.flatMap((page) => page.items) ?? []
    return [...new Map(items.map((task) => [task.id, task])).values()]
  })

  async function loadAll() {
    while (query.hasNextPage.value) {
      const { isError } = await query.fetchNextPage()
      if (!isError) continue
      notify.error('Not exported: the older tasks could not be loaded. Try again.')
      throw new Error('The older tasks could not be loaded')
    }
  }

  return {
    tasks,
    faces: facesOf(query),
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => { void query.fetchNextPage() },
    loadAll,
    refetch: () => { void query.refetch() },
  }
}
