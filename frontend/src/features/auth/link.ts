/** What the link of a message brought along: a one-time code, or the reason why it no longer works. */
import type { RouteLocationNormalizedLoaded } from 'vue-router'
import { explainRedirect } from './messages'

export function arrivedBy({ query, hash }: Pick<RouteLocationNormalizedLoaded, 'query' | 'hash'>) {
  const fragment = new URLSearchParams(hash.replace(/^#/, ''))
  const said = (name: string) => (typeof query[name] === 'string' ? query[name] : fragment.get(name))
  const error = said('error') ?? said('error_code')
  return {
    code: said('code'),
    failure: error === null ? '' : explainRedirect(said('error_code')),
  }
}
