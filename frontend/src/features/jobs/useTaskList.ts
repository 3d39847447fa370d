/** The tasks that fit a filter, as many as were loaded, kept current by events and, without them, by asking. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { pagesOf } from '@/api/pages'
import { useStream } from '@/api/stream'
import { type Task, type TaskFilter, tasksQuery } from '@/api/tasks'

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

  const { rows: tasks, ...list } = pagesOf(query, 'Not exported: the older tasks could not be loaded')
  return { tasks, ...list }
}
