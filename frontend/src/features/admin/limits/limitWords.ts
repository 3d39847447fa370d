/** Limits in words: how much, and what changes them. */
import type { Limit, LimitGroup } from '@/api/administration'
import { bytes, duration, fixed, integer } from '@/shared/format'

export const settingWords = 'Built in'

/** Where a plan decides, the page of plans is the place to go. */
export const isPlans = ({ setting }: Limit) => setting === 'plan'

export function valueOf({ value, unit }: Limit): string {
  if (value === null) return 'No limit'
  if (typeof value !== 'number') return unit === null ? value : `${value} ${unit}`
  if (unit === 'bytes') return bytes(value)
  if (unit === 'seconds') return duration(value)
  const number = Number.isInteger(value) ? integer(value) : fixed(value, 2)
  return unit === null ? number : `${number} ${unit}`
}

/** Groups with the limits in which every word is found. */
export function foundIn(groups: readonly LimitGroup[], search: string): LimitGroup[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return groups
    .map((group) => ({ ...group, limits: group.limits.filter((limit) => hasAll(`${group.name} ${limit.name} ${limit.meaning} ${limit.setting ?? ''}`, words)) }))
    .filter(({ limits }) => limits.length > 0)
}

function hasAll(text: string, words: readonly string[]) {
  return words.every((word) => text.toLowerCase().includes(word))
}
