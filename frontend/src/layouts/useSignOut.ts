/** Leaves: back to the sign-in page, and says so when only this browser could be told. */
import { useRouter } from 'vue-router'
import { notify } from '@/shared/composables/notify'
import { useSession } from '@/features/auth/session'

export function useSignOut() {
  const session = useSession()
  const router = useRouter()

  return async function signOut() {
    const toldServer = await session.signOut()
    await router.replace({ name: 'sign-in' })
    if (toldServer) notify.success('Signed out.')
    else notify.warning('Signed out in this browser only: the server did not answer. End the session in the settings later.')
  }
}
