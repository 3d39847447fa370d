/** What is missing or looks odd, as one list, worst news first in its kind, with what can be fetched again. */
import type { Coverage, Span } from '@/api/market'
import { integer } from '@/shared/format'

export type FindingKind = 'gap' | 'outlier' | 'zero_volume' | 'split' | 'unexpected'

export interface Finding {
  id: string
  kind: FindingKind
  span: Span
  detail: string
}

export const findingNames: Record<FindingKind, string> = {
  gap: 'Gap', outlier: 'Outlier', zero_volume: 'Silence', split: 'Split?', unexpected: 'Closed market',
}

export const findingHints: Record<FindingKind, string> = {
  gap: 'Bars were due and none are there.',
  outlier: 'A jump far out of the ordinary that the next bar takes back: a bad tick more often than news.',
  zero_volume: 'Many bars in a row without volume, in a market that trades.',
  split: 'An open at a round fraction of the close before. Prices adjusted for splits have none of these.',
  unexpected: 'Bars while the market is closed. Many of them mean another calendar.',
}

export function findingsOf({ gaps, suspects }: Pick<Coverage, 'gaps' | 'suspects'>): Finding[] {
  return [
    ...gaps.map(({ start, end, bars }) => ({
      id: `gap ${start}`, kind: 'gap' as const, span: { start, end }, detail: bars === 1 ? '1 bar is missing.' : `${integer(bars)} bars are missing.`,
    })),
    ...suspects.map(({ ts, end, kind, detail }) => ({ id: `${kind} ${ts}`, kind: kind as FindingKind, span: { start: ts, end }, detail })),
  ]
}

/** A stretch around it, so that it is seen beside what is ordinary. */
export function around({ start, end }: Span, seconds: number, bars = 60): Span {
  const margin = bars * seconds * 1_000
  return { start: new Date(Date.parse(start) - margin).toISOString(), end: new Date(Date.parse(end) + margin).toISOString() }
}

/** How many of each kind there are; gaps and the rest are counted by the server beyond what it lists. */
export function countsOf(findings: readonly Finding[]) {
  const counts = new Map<FindingKind, number>()
  for (const { kind } of findings) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}
