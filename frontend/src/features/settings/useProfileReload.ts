/** Reads the profile again, after it turned out to have been changed elsewhere. */
import { useQueryClient } from '@tanstack/vue-query'
import { meQuery } from '@/api/accounts'

export function useProfileReload() {
  const client = useQueryClient()
  return () => client.fetchQuery({ ...meQuery, staleTime: 0 })
}
