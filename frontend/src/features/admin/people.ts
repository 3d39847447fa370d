/** People as administrators know them: by their address, their name, or a piece of their id. */
import type { Role, UserState } from '@/api/administration'
import type { Status } from '@/shared/components/StatusBadge.vue'
import { shortId } from '@/shared/taskNames'

export const roles: { value: Role, label: string }[] = [
  { value: 'user', label: 'User' },
  { value: 'admin', label: 'Administrator' },
]

export const userStates: { value: UserState, label: string, status: Status }[] = [
  { value: 'active', label: 'Active', status: 'ok' },
  { value: 'suspended', label: 'Suspended', status: 'cancelled' },
  { value: 'demo', label: 'Demo', status: 'partial' },
  { value: 'unconfirmed', label: 'Unconfirmed', status: 'queued' },
]

export function roleName(role: Role) {
  return roles.find(({ value }) => value === role)?.label ?? role
}

export function standOfUser(state: UserState): { status: Status, label: string } {
  const { status, label } = userStates.find(({ value }) => value === state) ?? { status: 'unknown' as const, label: state }
  return { status, label }
}

/** How a sentence calls somebody. Demo accounts have no address, and the deleted no longer. */
export function nameOf({ email, display_name: name, id }: { email: string | null, display_name?: string, id: string | null }): string {
  if (email) return email
  if (name) return name
  return id === null ? 'The installation' : `Account ${shortId(id)}`
}

export const personPage = (id: string) => ({ name: 'admin', params: { part: 'users', id } })

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
export const isId = (text: string) => uuid.test(text)
