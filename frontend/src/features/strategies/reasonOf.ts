/** Why something did not work, in one text. */
import { ApiError } from '@/api/client'

export function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'
}
