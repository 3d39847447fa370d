/** Which runs are compared stands in the address. */
import type { RouteLocationRaw } from 'vue-router'

export const leastCompared = 2
export const mostCompared = 20

export function comparisonOf(ids: readonly string[]): RouteLocationRaw {
  return { name: 'backtests', params: { id: 'compare' }, query: { ids: ids.join(',') } }
}
