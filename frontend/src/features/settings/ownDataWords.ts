/** How one's own data is told: kinds by their names, what a deletion destroys, and what it leaves. */
import type { OwnData, OwnKind } from '@/api/ownData'
import { bytes, integer } from '@/shared/format'

export const kept = [
  'Lines of the audit log that name your account by its id, without your address.',
  'Bars that everybody shares, whoever downloaded them first.',
  'Backups of the operator, until they are replaced.',
]

/** What would only be noise beside the others. */
const small = new Set(['profile', 'task events', 'prediction outcomes', 'strategy versions', 'exchange key events'])

export function titleOf(name: string) {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

export function presentKinds(own: OwnData) {
  return own.items.filter(({ name, count }) => count > 0 && !small.has(name))
}

/** "12 backtests", one line each, and what no number tells. */
export function losses(own: OwnData) {
  return [
    ...presentKinds(own).filter(({ name }) => name !== 'sessions').map(counted),
    ...(own.disk_bytes > 0 ? [`${bytes(own.disk_bytes)} of files on the server`] : []),
    'Tasks that run are stopped, every device is signed out, and shared links show nothing any more.',
  ]
}

function counted({ name, count }: OwnKind) {
  return `${integer(count)} ${count === 1 ? singular(name) : name}`
}

function singular(name: string) {
  if (name.endsWith('series')) return name
  return name.endsWith('ies') ? `${name.slice(0, -3)}y` : name.replace(/s$/, '')
}
