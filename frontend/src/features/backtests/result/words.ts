/** A result in words: what it is called, how it went, what its verdicts are. */
import { CircleCheck, CircleHelp, CircleX, TriangleAlert } from '@lucide/vue'
import type { Component } from 'vue'
import type { Backtest, Verdict } from '@/api/backtestResults'
import type { Study, TriedValues } from '@/api/studies'
import type { Tone } from '@/shared/components/Badge.vue'
import { date, integer } from '@/shared/format'
import { nameIn } from '@/shared/ruleNumbers'

export interface VerdictLook {
  word: string
  icon: Component
  tone: Tone
}

export const verdictLooks: Record<Verdict, VerdictLook> = {
  good: { word: 'Good', icon: CircleCheck, tone: 'gain' },
  doubtful: { word: 'Doubtful', icon: TriangleAlert, tone: 'warn' },
  bad: { word: 'Bad', icon: CircleX, tone: 'error' },
  unknown: { word: 'Unknown', icon: CircleHelp, tone: 'neutral' },
}

export const modeNames: Record<string, string> = {
  pessimistic: 'Pessimistic: the worse came first', neutral: 'Neutral: what is nearer came first', optimistic: 'Optimistic: the better came first',
}

export function currencyOf({ manifest }: Pick<Backtest, 'manifest'>) {
  return manifest?.data[0]?.instrument.currency ?? 'USD'
}

export function isSimulated({ manifest, provider }: Pick<Backtest, 'manifest' | 'provider'>) {
  return manifest === null ? provider === 'demo' : manifest.data.some(({ instrument }) => instrument.is_simulated)
}

export function symbolWords(symbols: readonly string[], most = 4) {
  const shown = symbols.slice(0, most).join(', ')
  return symbols.length > most ? `${shown} and ${symbols.length - most} more` : shown
}

export function rangeWords({ config }: Pick<Backtest, 'config'>) {
  const first = config.start === null ? 'the first bar' : date(config.start)
  // The end is not included: the last day is the one before a midnight.
  const end = config.end === null ? null : new Date(Date.parse(config.end) - 1)
  return `${first} to ${end === null ? 'the last bar' : date(end)}`
}

export function parameterWords(parameters: Record<string, unknown>) {
  return Object.entries(parameters).map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`).join(', ')
}

/** `fast 5 to 15 in steps of 5; slow 30 or 50`: what a study tried, which are no values of its own. */
export function triedWords(space: Study['space']) {
  return Object.entries(space).map(([name, values]) => `${nameIn(name)} ${valuesWords(values)}`).join('; ')
}

export function valuesWords(values: TriedValues) {
  if (typeof values === 'string') return 'within its bounds'
  if ('from' in values) return `${values.from} to ${values.to} in steps of ${values.step}`
  const [last, ...before] = values.map(String).reverse()
  return [before.reverse().join(', '), last].filter(Boolean).join(' or ')
}

/** What is not tried stays as it was set. */
export function fixedOf({ config, manifest }: Pick<Backtest, 'config' | 'manifest'>) {
  const space = config.study?.space ?? {}
  return Object.fromEntries(Object.entries(manifest?.parameters ?? config.parameters).filter(([name]) => !(name in space)))
}

export function tradesWord(count: number) {
  return `${integer(count)} ${count === 1 ? 'trade' : 'trades'}`
}
