/** Server state: how long an answer is good, when a question is asked again. */
import { QueryClient } from '@tanstack/vue-query'
import { ApiError } from './client'

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.mayPass && !error.isUnreachable,
      retryDelay: (failures, error) => waitAfter(failures, error),
    },
    mutations: { retry: false, networkMode: 'always' },
  },
})

function waitAfter(failures: number, error: unknown) {
  const asked = error instanceof ApiError ? error.retryAfterSeconds : undefined
  return asked === undefined ? Math.min(500 * 2 ** failures, 8_000) : Math.min(asked * 1_000, 30_000)
}
