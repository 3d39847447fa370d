/** Limits in words: how much, and what changes them. */
import type { Limit, LimitGroup } from '@/api/administration'
import { bytes, duration, fixed, integer } from '@/shared/format'

export const settingWords = 'Built in'

/** Where a plan decides, the page of plans is the place to go. */
export const isPlans = ({ setting }: Limit) => setting === 'plan'

/** As it is written in a list: "User disk". */
export function nameOfLimit({ name }: Limit) {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export const counted = (count: number) => `${integer(count)} limit${count === 1 ? '' : 's'}`

export function valueOf({ value, unit }: Limit): string {
  if (typeof value !== 'number') return value.charAt(0).toUpperCase() + value.slice(1) // "off"
  if (unit === 'bytes') return bytes(value)
  if (unit === 'seconds') return duration(value)
  const number = Number.isInteger(value) ? integer(value) : fixed(value, 2)
  return unit === '' ? number : `${number} ${value === 1 ? unit.replace(/s$/, '') : unit}`
}

/** Groups with the limits in which every word is found. */
export function foundIn(groups: readonly LimitGroup[], search: string): LimitGroup[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return groups
    .map((group) => ({ ...group, limits: group.limits.filter((limit) => hasAll(`${group.name} ${nameOfLimit(limit)} ${limit.meaning} ${limit.setting ?? ''}`, words)) }))
    .filter(({ limits }) => limits.length > 0)
}

function hasAll(text: string, words: readonly string[]) {
  return words.every((word) => text.toLowerCase().includes(word))
}
