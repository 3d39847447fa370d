/** Follows the events of whoever is signed in. The reader of the stream arrives after the first page, which does not need it. */
import { onScopeDispose, watch } from 'vue'
import { useConnection } from '@/api/connection'
import { useSession } from '@/features/auth/session'

export function useLiveUpdates() {
  const session = useSession()
  const { isLost } = useConnection()
  let followed: string | undefined
  let leave = () => { /* nobody is followed */ }

  async function follow(user: string | undefined) {
    if (user === followed) return
    leave()
    followed = user
    leave = () => { followed = undefined }
    if (user === undefined) return
    try {
      const { followEvents } = await import('@/api/events')
      if (followed !== user) return
      const stop = followEvents(user)
      leave = () => {
        followed = undefined
        stop()
      }
    } catch {
      followed = undefined // the server went away before it gave out the reader: once it is back, again
    }
  }

  watch([() => session.user?.id, isLost], ([user, lost]) => { if (!lost) void follow(user) }, { immediate: true })
  onScopeDispose(() => { leave() })
}
