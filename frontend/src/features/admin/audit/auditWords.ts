/** Lines of the audit log in words: what was done, to whom, and what is different since. */
import type { AuditFilter, AuditLine } from '@/api/administration'
import { isDay } from '@/shared/dayRange'
import { dateTime, integer } from '@/shared/format'
import type { ColumnFilter } from '@/shared/table'
import { isId } from '../people'

const names: Record<string, string> = {
  'user.list': 'Looked through users',
  'user.read': 'Looked at a user',
  'user.promote': 'Made an administrator',
  'user.demote': 'Took the administrator\'s role away',
  'user.suspend': 'Suspended a user',
  'user.restore': 'Restored a user',
  'user.plan': 'Changed the plan of a user',
  'user.sessions_end': 'Ended the sessions of a user',
  'user.delete': 'Deleted a user',
  'account.delete': 'Deleted their own account',
  'account.export': 'Exported their own data',
  'task.list': 'Looked through tasks',
  'task.read': 'Looked at a task',
  'task.cancel': 'Cancelled a task',
  'audit.read': 'Read the audit log',
  'audit.export': 'Exported the audit log',
  'plan.change': 'Changed a plan',
  'plan.create': 'Made a plan',
  'plan.delete': 'Deleted a plan',
  'limits.read': 'Read the limits',
}

export const actions = Object.entries(names).map(([value, label]) => ({ value, label }))

/** An action of a later version is called by its code. */
export const actionName = (action: string) => (Object.hasOwn(names, action) ? names[action] : undefined) ?? action

export const actorNames: Record<AuditLine['actor'], string> = {
  user: 'User', admin: 'Administrator', operator: 'Operator at the terminal', service: 'The service',
}

export function actorOf({ actor, actor_email: email, actor_id: id }: AuditLine) {
  return email ?? (id === null ? actorNames[actor] : `${actorNames[actor]} ${id.slice(0, 8)}`)
}

export function subjectOf({ subject_email: email, subject_id: id }: AuditLine) {
  return email ?? (id === null ? null : `Account ${id.slice(0, 8)}`)
}

export interface Detail { name: string, value: string, before?: string }

/** What changed as from and to, and the rest as it is. */
export function detailsOf({ details }: Pick<AuditLine, 'details'>): Detail[] {
  const { before, after, ...rest } = details
  const others = Object.entries(rest)
  if (isRecord(before) || isRecord(after)) return [...changesOf(before, after), ...others.map(plain)]
  const [first, ...more] = others
  if (before !== undefined && first !== undefined) return [{ ...plain(first), before: text(before) }, ...more.map(plain)]
  return Object.entries(details).map(plain)
}

function plain([name, value]: [string, unknown]): Detail {
  return { name: inWords(name), value: text(value) }
}

function changesOf(before: unknown, after: unknown): Detail[] {
  const [old, now] = [isRecord(before) ? before : {}, isRecord(after) ? after : {}]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => text(old[name]) !== text(now[name]))
    .map((name) => ({ ...plain([name, now[name]]), ...(isRecord(before) ? { before: text(old[name]) } : {}) }))
}

/** One line for a table. */
export function summaryOf(line: AuditLine) {
  return detailsOf(line).map(({ name, value, before }) => `${name} ${before === undefined ? '' : `${before} → `}${value}`).join(', ')
}

function inWords(name: string) {
  return name.replaceAll('_', ' ')
}

const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/

function text(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'number') return integer(value)
  if (Array.isArray(value)) return value.map(text).join(', ')
  if (typeof value !== 'string') return JSON.stringify(value)
  return isMoment.test(value) ? dateTime(value, 'UTC', 'minute') : value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the server is asked for, from the filters in the address. Days are whole days of UTC. */
export function filterOf(filters: Record<string, ColumnFilter>): AuditFilter {
  const one = (name: string) => (typeof filters[name] === 'string' ? filters[name] : '')
  const id = (name: string) => (isId(one(name)) ? one(name) : '')
  const { min = '', max = '' } = typeof filters.at === 'object' ? filters.at : {}
  return {
    actor_id: id('actor_id'),
    subject_id: id('subject_id'),
    action: Object.hasOwn(names, one('action')) ? one('action') : '',
    since: isDay(min) ? `${min}T00:00:00Z` : '',
    until: isDay(max) ? new Date(Date.parse(`${max}T00:00:00Z`) + 86_400_000).toISOString() : '',
  }
}
