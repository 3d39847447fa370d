/** What administrators see of everybody and do with anybody's account. Each look at others leaves a line in the audit log. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import { meQuery } from './accounts'
import { ApiError, type Method, request, type RequestOptions } from './client'
import { queryClient } from './queries'
import type { components } from './schema'
import type { TaskKind, TaskState } from './tasks'

type Schemas = components['schemas']
export type AdminUser = Schemas['AdminUser']
export type AdminUserDetails = Schemas['AdminUserDetails']
export type Role = AdminUser['role']
export type UserState = AdminUser['state']
export type Plan = Schemas['Plan']
export type PlanNumbers = Omit<Plan, 'name' | 'users'>
export type AdminTask = Schemas['AdminTask']
export type AdminTaskInFull = Schemas['AdminTaskInFull']
export type AuditLine = Schemas['AuditLine']
export type Limit = Schemas['Limit']
export type LimitGroup = Schemas['LimitGroup']

interface Page<Item> { items: Item[], next_cursor: string | null }

/** What a list is narrowed to; what is empty narrows nothing. */
export interface UserFilter { search: string, role: Role | '', state: UserState | '', plan: string }
export interface AdminTaskFilter { user_id: string, state: TaskState | '', kind: TaskKind | '' }
export interface AuditFilter { actor_id: string, subject_id: string, action: string, since: string, until: string }

const path = '/api/admin'
const key = 'admin'
const pageSize = 100

export const usersQuery = (filter: UserFilter) => listQuery<AdminUser>('users', { ...filter })
export const allTasksQuery = (filter: AdminTaskFilter) => listQuery<AdminTask>('tasks', { ...filter })
export const auditQuery = (filter: AuditFilter) => listQuery<AuditLine>('audit', { ...filter })

/** The newest first, page by page. A window that comes to the front asks nothing: it would be noted down each time. */
function listQuery<Item>(what: string, filter: Record<string, string>) {
  return infiniteQueryOptions({
    queryKey: [key, what, 'list', filter] as const,
    queryFn: async ({ signal, pageParam: cursor }) => {
      return (await ask<Page<Item>>('GET', `${path}/${what}`, { signal, query: { ...given(filter), limit: pageSize, ...given({ cursor }) } })).data
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
    refetchOnWindowFocus: false,
  })
}

export type AdminList<Item> = ReturnType<typeof listQuery<Item>>

export const userQuery = (id: string) => oneQuery<AdminUserDetails>('users', id)
export const anyTaskQuery = (id: string) => oneQuery<AdminTaskInFull>('tasks', id)

function oneQuery<Item>(what: string, id: string) {
  return queryOptions({
    queryKey: [key, what, 'one', id] as const,
    queryFn: async ({ signal }) => (await ask<Item>('GET', addressOf(what, id), { signal })).data,
    refetchOnWindowFocus: false,
  })
}

export const plansQuery = queryOptions({
  queryKey: [key, 'plans'],
  queryFn: async ({ signal }) => (await ask<Schemas['Plans']>('GET', `${path}/plans`, { signal })).data.items,
  refetchOnWindowFocus: false,
})

export const limitsQuery = queryOptions({
  queryKey: [key, 'limits'],
  queryFn: async ({ signal }) => (await ask<Schemas['Limits']>('GET', `${path}/limits`, { signal })).data.groups,
  refetchOnWindowFocus: false,
})

/** Somebody by their whole email address. */
export async function findUser(email: string): Promise<AdminUser | undefined> {
  const { data } = await ask<Page<AdminUser>>('GET', `${path}/users`, { query: { search: email, limit: 10 } })
  return data.items.find((user) => user.email?.toLowerCase() === email.toLowerCase())
}

export interface UserChange { role?: Role, plan?: string }

export async function changeUser(id: string, change: UserChange, reason: string) {
  await actOn(id, 'PATCH', addressOf('users', id), { ...change, reason })
}

/** No hours are for good. */
export async function suspendUser(id: string, hours: number | null, reason: string) {
  await actOn(id, 'POST', `${addressOf('users', id)}/suspend`, { hours, reason })
}

export async function restoreUser(id: string, reason: string) {
  await actOn(id, 'POST', `${addressOf('users', id)}/restore`, { reason })
}

export async function endSessionsOf(id: string, reason: string) {
  await ask('POST', `${addressOf('users', id)}/end-sessions`, { body: { reason } })
  await askAgain()
}

async function actOn(id: string, method: 'PATCH' | 'POST', address: string, body: object) {
  const { data } = await ask<AdminUserDetails>(method, address, { body })
  queryClient.setQueryData(userQuery(id).queryKey, data)
  await askAgain(id)
}

export async function cancelAnyTask(id: string, reason: string) {
  await ask('POST', `${addressOf('tasks', id)}/cancel`, { body: { reason } })
  await askAgain()
}

export async function putPlan(name: string, numbers: PlanNumbers, reason: string) {
  await ask('PUT', addressOf('plans', name), { body: { ...numbers, reason } })
  await askAgain()
}

export async function deletePlan(name: string, reason: string) {
  await ask('DELETE', addressOf('plans', name), { query: { reason } })
  await askAgain()
}

export type AuditFormat = 'csv' | 'json' | 'parquet'

/** All lines that the filter leaves, written by the server. */
export async function exportAudit(filter: AuditFilter, format: AuditFormat, received: (bytes: number) => void, signal: AbortSignal) {
  const options: RequestOptions = { query: { ...given({ ...filter }), format }, signal, transfer: { asFile: true, received } }
  return (await ask<Blob>('GET', `${path}/audit/export`, options)).data
}

/** Whoever is no administrator any longer has a page that does not know it yet. */
async function ask<T>(method: Method, address: string, options: RequestOptions) {
  try {
    return await request<T>(method, address, options)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'admin_needed') void queryClient.invalidateQueries({ queryKey: meQuery.queryKey, exact: true })
    throw error
  }
}

/** What a change may have touched, but not the answer that it brought. */
async function askAgain(known = '') {
  await queryClient.invalidateQueries({ queryKey: [key], predicate: ({ queryKey }) => known === '' || queryKey[3] !== known })
}

function addressOf(what: string, id: string) {
  return `${path}/${what}/${encodeURIComponent(id)}`
}

function given(filter: Record<string, string>) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''))
}
