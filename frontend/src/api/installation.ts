/** What this installation is and how it feels: its configuration (asked once) and its readiness. */
import { queryOptions } from '@tanstack/vue-query'
import { request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

export type Installation = components['schemas']['Config']
export type Readiness = Pick<components['schemas']['Ready'], 'checks'>

export const installationQuery = queryOptions({
  queryKey: ['installation'],
  queryFn: async ({ signal }) => (await request<Installation>('GET', '/api/config', { signal, anonymous: true })).data,
  staleTime: Infinity,
  gcTime: Infinity,
})

export function installation(): Promise<Installation> {
  return queryClient.ensureQueryData({ ...installationQuery, networkMode: 'always' })
}

/** 503 is an answer here, not a failure: it names the check that does not pass. */
export const readinessQuery = queryOptions({
  queryKey: ['readiness'],
  queryFn: async ({ signal }) => {
    const accept = (status: number) => status === 200 || status === 503
    return (await request<Readiness>('GET', '/readyz', { signal, anonymous: true, accept })).data
  },
  refetchInterval: 15_000,
  staleTime: 5_000,
})
