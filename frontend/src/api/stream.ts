/** How live this page is: the one state that the dot in the header, the pages and the stream itself share. */
import { computed, reactive } from 'vue'
import { useConnection } from './connection'

export type Liveness = 'live' | 'connecting' | 'reconnecting' | 'offline'

export interface StreamState {
  phase: Exclude<Liveness, 'offline'>
  since: Date
  nextAttemptAt: Date | null
}

const stream = reactive<StreamState>({ phase: 'connecting', since: new Date(), nextAttemptAt: null })

export function showStream(state: StreamState) {
  Object.assign(stream, state)
}

/** Offline is a server that does not answer at all; reconnecting is one that does, only the stream is cut. */
export function useStream() {
  const { connection, isLost } = useConnection()
  return {
    liveness: computed<Liveness>(() => (isLost.value ? 'offline' : stream.phase)),
    since: computed(() => (isLost.value ? connection.lostAt : stream.since)),
    nextAttemptAt: computed(() => (isLost.value ? connection.nextAttemptAt : stream.nextAttemptAt)),
  }
}
