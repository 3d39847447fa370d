/** Leaves: back to the sign-in page, and says so when only this browser could be told. A demo is asked first. */
import { ref } from 'vue'
import { useRouter } from 'vue-router'
import { notify } from '@/shared/composables/notify'
import { useSession } from '@/features/auth/session'

/** True while the person decides whether to leave a demo, which goes with everything in it. */
export const asksToLeaveDemo = ref(false)

export function useSignOut() {
  const session = useSession()
  const router = useRouter()

  async function leave() {
    const toldServer = await session.signOut()
    await router.replace({ name: 'sign-in' })
    if (toldServer) notify.success('Signed out.')
    else notify.warning('Signed out in this browser only: the server did not answer. End the session in the settings later.')
  }

  return async function signOut() {
    if (session.isDemo) asksToLeaveDemo.value = true
    else await leave()
  }
}
