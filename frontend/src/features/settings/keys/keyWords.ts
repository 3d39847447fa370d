/** How a key does, in the words of the page. */
import { CircleCheck, CircleX, CloudOff, LockKeyholeOpen } from '@lucide/vue'
import type { Component } from 'vue'
import type { ExchangeKey, KeyEvent } from '@/api/exchangeKeys'
import type { Tone } from '@/shared/components/Badge.vue'
import { fixed, integer } from '@/shared/format'
import { formOf, providers } from './keyProviders'

/** What has to be typed to store a key that can take money away; the server asks for the same. */
export const withdrawalWords = 'I know that this key can withdraw'
/** From here on some exchanges refuse orders that come too early. */
const tooFarSeconds = 1
const littleRoom = 0.1

type Health = ExchangeKey['health']
type Permission = ExchangeKey['permissions'][number]

export const stateLooks: Record<Health['state'], { label: string, tone: Tone, icon: Component }> = {
  works: { label: 'Works', tone: 'gain', icon: CircleCheck },
  refused: { label: 'Refused', tone: 'error', icon: CircleX },
  unreachable: { label: 'No answer', tone: 'warn', icon: CloudOff },
  unreadable: { label: 'Damaged', tone: 'error', icon: LockKeyholeOpen },
}

export const permissionNames: Record<Permission, string> = { read: 'Reads', trade: 'Trades', withdraw: 'Withdraws' }

export function isClockOff({ clock_skew_seconds: skew }: Health) {
  return skew !== null && Math.abs(skew) >= tooFarSeconds
}

/** How far the provider's clock is from this server's. */
export function clockWords({ health, provider }: Pick<ExchangeKey, 'health' | 'provider'>) {
  const skew = health.clock_skew_seconds
  if (skew === null) return undefined
  const off = Math.abs(skew)
  if (off < tooFarSeconds) return `clocks agree within ${fixed(Math.max(off, 0.01), off < 0.1 ? 2 : 1)} s`
  return `server clock ${fixed(off, 1)} s ${skew > 0 ? 'behind' : 'ahead of'} ${nameOf(provider)}'s: orders may be refused`
}

export function isShortOfRoom({ requests_limit: limit, requests_left: left }: Health) {
  return limit !== null && left !== null && left < littleRoom * limit
}

/** How many requests the provider still takes in its present window. */
export function roomWords({ requests_limit: limit, requests_left: left }: Health) {
  if (limit === null || left === null) return undefined
  return `${integer(left)} of ${integer(limit)} requests left`
}

export function boundWords({ is_bound_to_addresses: isBound }: Health) {
  if (isBound === null) return undefined
  return isBound ? 'bound to certain addresses' : 'taken from any address'
}

export function nameOf(provider: ExchangeKey['provider']) {
  return formOf(provider)?.name ?? provider
}

/** What to do about one that does not work; the detail says why. */
export const remedies: Partial<Record<Health['state'], string>> = {
  unreachable: 'Tidemark asks again by itself.',
}

export const actionNames: Record<KeyEvent['action'], string> = {
  create: 'Add', read: 'Look', decrypt: 'Open', test: 'Test', check: 'Daily check', rotate: 'Rotate', label: 'Rename',
  delete: 'Delete', rewrap: 'Seal anew',
}

export const outcomeLooks: Record<KeyEvent['outcome'], { label: string, tone: Tone }> = {
  done: { label: 'Done', tone: 'neutral' },
  refused: { label: 'Refused', tone: 'error' },
  unreachable: { label: 'No answer', tone: 'warn' },
  unreadable: { label: 'Damaged', tone: 'error' },
  can_withdraw: { label: 'Can withdraw', tone: 'warn' },
}

export function actorName({ actor }: Pick<KeyEvent, 'actor'>) {
  return actor === 'user' ? 'You' : 'Tidemark'
}

/** The log may know providers that are no more. */
export function providerName({ provider }: Pick<KeyEvent, 'provider'>) {
  return providers.find(({ value }) => value === provider)?.label ?? provider
}
