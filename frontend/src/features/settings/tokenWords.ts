/** What a token may do and how long it lives, in the words of the page. */
import type { PersonalToken, TokenScope } from '@/api/tokens'

export const scopes: readonly { value: TokenScope, label: string, sentence: string }[] = [
  { value: 'read', label: 'Read', sentence: 'See everything that is yours.' },
  { value: 'run', label: 'Run', sentence: 'Start, cancel and retry tasks; create, change and delete backtests, strategies and models.' },
  { value: 'data', label: 'Data', sentence: 'Fetch, import and delete market data.' },
  { value: 'share', label: 'Share', sentence: 'Make and revoke links that show a result to others.' },
]

export const lives = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
] as const

export const longestName = 80

export function scopesOf({ scopes: held }: Pick<PersonalToken, 'scopes'>) {
  return scopes.filter(({ value }) => held.includes(value)).map(({ label }) => label.toLowerCase()).join(', ')
}

/** The first thing to try with it, in a shell. */
export function firstSteps(token: string) {
  return `export TIDEMARK_TOKEN=${token}\ncurl -H "Authorization: Bearer $TIDEMARK_TOKEN" ${window.location.origin}/api/me`
}
