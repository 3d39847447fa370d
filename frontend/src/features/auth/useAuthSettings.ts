/** What the auth server allows, asked once: the demo and new accounts can each be switched off. */
import { useQuery } from '@tanstack/vue-query'
import { authSettings } from './supabase'

export function useAuthSettings() {
  const { data: settings } = useQuery({ queryKey: ['installation', 'auth'], queryFn: authSettings, staleTime: Infinity })
  return { settings }
}
