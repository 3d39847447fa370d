/** Where a person wanted to go before signing in; never an address outside this app. */
import type { RouteLocationNormalizedLoaded, Router } from 'vue-router'

export function destination(router: Router, { query }: Pick<RouteLocationNormalizedLoaded, 'query'>): string {
  const wanted = query.next
  if (typeof wanted !== 'string' || !/^\/(?![/\\])/.test(wanted)) return '/'
  const { matched, meta } = router.resolve(wanted)
  return matched.length > 0 && meta.access === 'signed_in' ? wanted : '/'
}
