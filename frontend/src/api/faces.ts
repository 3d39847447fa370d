/** A question's state in the words that AsyncView understands. */
import { computed, reactive, type Ref } from 'vue'
import { ApiError } from './client'
import { useConnection } from './connection'

interface Question {
  data: Ref<unknown>
  isFetching: Ref<boolean>
  error: Ref<Error | null>
  dataUpdatedAt: Ref<number>
}

export function facesOf(query: Question) {
  const { isLost } = useConnection()
  return reactive({
    hasContent: computed(() => query.data.value !== undefined),
    loading: computed(() => query.isFetching.value),
    error: computed(() => {
      const error = query.error.value
      // With nothing to show and nobody to ask, a skeleton would promise what does not come.
      if (isLost.value) return query.data.value === undefined ? unreachable : null
      return error === null ? null : described(error)
    }),
    // The banner above says since when; here what is old only steps back.
    dimmed: computed(() => isLost.value),
    asOf: computed(() => (query.dataUpdatedAt.value > 0 ? new Date(query.dataUpdatedAt.value) : null)),
  })
}

const unreachable = { message: 'Tidemark does not answer. It is asked again by itself as soon as it does.' }

function described(error: Error) {
  if (!(error instanceof ApiError)) return { message: 'Something unexpected happened. Try again.' }
  return { message: error.explanation, requestId: error.requestId, final: error.status === 403 }
}
