/** What is said about an account, and what will happen to it. */
import type { AdminUserDetails, Plan } from '@/api/administration'
import { bytes, dateTime, integer } from '@/shared/format'

const longTime = 50 * 365.25 * 86_400_000

/** A suspension without an end is kept as one that ends in a century. */
export function isForGood(until: string | null, now: Date) {
  return until !== null && Date.parse(until) - now.getTime() > longTime
}

export function suspensionWords(until: string | null, now: Date, zone?: string) {
  if (until === null) return ''
  return isForGood(until, now) ? 'until somebody restores it' : `until ${dateTime(until, zone, 'minute')}`
}

export interface Usage { label: string, share: number, text: string, hint: string }

/** What somebody uses of what the plan gives. */
export function usageOf({ usage, quotas }: AdminUserDetails): Usage[] {
  const counted = (label: string, used: number, most: number) => ({ label, share: shareOf(used, most), text: `${integer(used)} of ${integer(most)}`, hint: '' })
  return [
    counted('Tasks that wait', usage.queued, quotas.most_queued),
    counted('Tasks that run', usage.running, quotas.most_running),
    counted('Backtests kept', usage.backtests, quotas.most_backtests),
    counted('Models kept', usage.models, quotas.most_models),
    counted('Exchange keys', usage.exchange_keys, quotas.most_exchange_keys),
    {
      label: 'Disk', share: shareOf(usage.disk_bytes, quotas.most_disk_bytes),
      text: `${bytes(usage.disk_bytes)} of ${bytes(quotas.most_disk_bytes)}`,
      hint: seriesWords(usage.series),
    },
  ]
}

function seriesWords(count: number) {
  if (count === 0) return ''
  return count === 1 ? 'One imported series among it.' : `${integer(count)} imported series among it.`
}

function shareOf(used: number, most: number) {
  if (most > 0) return used / most
  return used > 0 ? 1 : 0
}

/** What somebody has more of than the new plan gives. */
export function planConsequences({ usage }: AdminUserDetails, { most_queued, most_running, most_backtests, most_models }: Plan) {
  const above = [
    [usage.queued, most_queued, 'tasks wait'], [usage.running, most_running, 'tasks run'],
    [usage.backtests, most_backtests, 'backtests are kept'], [usage.models, most_models, 'models are kept'],
  ] as const
  return [
    `From now on ${integer(most_queued)} tasks may wait, ${integer(most_running)} run at once, ${integer(most_backtests)} backtests and ${integer(most_models)} models are kept.`,
    ...above.filter(([used, most]) => used > most).map(([used, most, words]) => `Now ${integer(used)} ${words}, more than the ${integer(most)} of this plan: they stay, and nothing is added until there are fewer.`),
  ]
}

export function suspendConsequences({ usage, sessions }: AdminUserDetails) {
  const tasks = usage.queued + usage.running
  return [
    'Every request is refused from now on, and open pages lose their stream within 5 s.',
    ...(tasks === 1 ? ['1 task ends: it is cancelled if it waits, and stopped if it runs.'] : []),
    ...(tasks > 1 ? [`${integer(tasks)} tasks end: what waits is cancelled, what runs is stopped.`] : []),
    ...(sessions > 0 ? ['Nobody can sign in to the account until the suspension ends.'] : []),
    'All data stays as it is.',
  ]
}

export const suspensions = [
  { value: '1', label: '1 hour' },
  { value: '24', label: '1 day' },
  { value: '168', label: '7 days' },
  { value: '720', label: '30 days' },
  { value: 'hours', label: 'Another number of hours' },
  { value: 'ever', label: 'For good' },
] as const

export type Suspension = (typeof suspensions)[number]['value']
export const mostHours = 8760

/** Null is for good; undefined is no length that could be sent. */
export function hoursOf(chosen: Suspension | '', typed: string | null): number | null | undefined {
  if (chosen === 'ever') return null
  const hours = Number(chosen === 'hours' ? typed ?? '' : chosen)
  return Number.isInteger(hours) && hours >= 1 && hours <= mostHours ? hours : undefined
}
