/** All that is one's own: how much it is, taken along, or deleted with the account. */
import { queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import type { components } from './schema'

export type OwnData = components['schemas']['OwnData']
export type OwnKind = components['schemas']['OwnKind']

export const confirmation: components['schemas']['Leaving']['confirm'] = 'delete my account'

export const ownDataQuery = queryOptions({
  queryKey: ['me', 'data'],
  queryFn: async ({ signal }) => (await request<OwnData>('GET', '/api/me/data', { signal })).data,
})

/** A ZIP that the server makes while it is read, so nobody knows how large it will be. */
export async function exportMyData(received: (bytes: number) => void, signal: AbortSignal) {
  return (await request<Blob>('GET', '/api/me/export', { signal, transfer: { asFile: true, received } })).data
}

export async function deleteMyAccount(password: string | undefined) {
  // The tasks that run are stopped first, which may take some seconds.
  await request('DELETE', '/api/me', { body: { confirm: confirmation, password }, transfer: {} })
}
