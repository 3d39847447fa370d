/** One's models, kept current by the events of the trainings and, without them, by asking. */
import { useQuery } from '@tanstack/vue-query'
import { computed, onScopeDispose } from 'vue'
import { useTaskEvents } from '@/api/events'
import { facesOf } from '@/api/faces'
import { modelsQuery } from '@/api/models'
import { useStream } from '@/api/stream'

const pollWithoutStream = 10_000
const gatherMilliseconds = 300

export function useModelList() {
  const { liveness } = useStream()
  const query = useQuery({
    ...modelsQuery,
    refetchOnMount: 'always',
    refetchInterval: () => (liveness.value === 'live' ? false : pollWithoutStream),
  })

  let timer: ReturnType<typeof setTimeout> | undefined
  useTaskEvents((events) => {
    if (timer !== undefined || !events.some(({ task }) => task.kind === 'train')) return
    timer = setTimeout(() => {
      timer = undefined
      void query.refetch()
    }, gatherMilliseconds)
  })
  onScopeDispose(() => { clearTimeout(timer) })

  return { models: computed(() => query.data.value ?? []), faces: facesOf(query), refetch: () => { void query.refetch() } }
}
