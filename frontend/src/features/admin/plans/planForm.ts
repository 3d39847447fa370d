/** The form of a plan: its numbers as they are typed, and what a change of them will do. */
import type { Plan, PlanNumbers } from '@/api/administration'
import { integer } from '@/shared/format'
import { numbers } from './columns'

export const standard = 'standard'
export const nameForm = /^[a-z][a-z0-9_-]{0,31}$/
export const mostOfAll = 1_000_000_000

export type Typed = Record<keyof PlanNumbers, string | null>

export function typedFrom(plan: PlanNumbers | undefined): Typed {
  return Object.fromEntries(numbers.map(({ name }) => [name, plan === undefined ? null : String(plan[name])])) as Typed
}

/** Null while a number is missing or none that a plan can have. */
export function numbersOf(typed: Typed): PlanNumbers | null {
  const entries = numbers.map(({ name }) => [name, Number(typed[name] ?? '')] as const)
  const isGood = numbers.every(({ name, least }) => problemOf(typed[name], least) === undefined)
  return isGood ? Object.fromEntries(entries) as unknown as PlanNumbers : null
}

export function problemOf(text: string | null, least: number) {
  if (text === null || text === '') return 'Give a number.'
  const isGood = /^\d+$/.test(text) && Number(text) >= least && Number(text) <= mostOfAll
  return isGood ? undefined : `A whole number, from ${least} to ${integer(mostOfAll)}.`
}

export function nameProblem(name: string, known: readonly Plan[]) {
  if (!nameForm.test(name)) return 'Small letters, digits, - and _, beginning with a letter; 32 at most.'
  return known.some((plan) => plan.name === name) ? 'There is a plan of this name. Open it to change it.' : undefined
}

export function changesIn(plan: Plan, next: PlanNumbers) {
  return numbers.filter(({ name }) => plan[name] !== next[name])
    .map(({ name, label }) => `${label}: ${integer(next[name])} in place of ${integer(plan[name])}.`)
}

/** What will happen, a sentence each. */
export function consequencesOf(plan: Plan | undefined, next: PlanNumbers) {
  if (plan === undefined) return ['Nobody has it until you give it to somebody.']
  const isLess = numbers.some(({ name }) => next[name] < plan[name])
  const users = plan.users === 1 ? '1 user who has' : `${integer(plan.users)} users who have`
  return [
    ...changesIn(plan, next),
    `It holds at once for the ${users} this plan.`,
    ...(isLess ? ['Who has more than a lower number keeps it, and adds nothing until there is less.'] : []),
  ]
}
