/** The same from the terminal of the installation. There is no curl: no access token may do what administrators do. */
import type { AdminUser } from '@/api/administration'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { quoted } from '@/shared/shell'

type Somebody = Pick<AdminUser, 'email'>

export const listCommands: Commands = { cli: 'tidemark user list' }
export const plansCommands: Commands = { cli: 'tidemark user plans' }

export function roleCommands(user: Somebody, isAdmin: boolean): Commands | undefined {
  return about(isAdmin ? 'promote --revoke' : 'promote', user)
}

export function planCommands(user: Somebody, plan: string): Commands | undefined {
  return about('plan', user, ` ${quoted(plan)}`)
}

export function suspendCommands(user: Somebody, hours: number | null): Commands | undefined {
  return about(hours === null ? 'suspend' : `suspend --hours ${hours}`, user)
}

export function restoreCommands(user: Somebody): Commands | undefined {
  return about('suspend --lift', user)
}

/** Demo accounts have no address, and the terminal knows nobody otherwise. */
function about(command: string, { email }: Somebody, rest = ''): Commands | undefined {
  return email === null ? undefined : { cli: `tidemark user ${command}${email.startsWith('-') ? ' --' : ''} ${quoted(email)}${rest}` }
}
