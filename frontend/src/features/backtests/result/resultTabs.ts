/** The tabs of a result, by the names that stand in its address. */
import type { Backtest } from '@/api/backtestResults'
import { isStudy } from '@/api/studies'

export const resultTabs = ['study', 'overview', 'trades', 'chart', 'costs', 'risk', 'periods', 'config', 'reproduce'] as const
export type ResultTab = typeof resultTabs[number]

/** A study has no account of its own: what its trials did is in its own tab, and each can be opened as a run. */
const ofStudy: readonly ResultTab[] = ['study', 'config', 'reproduce']
const ofRun = resultTabs.filter((tab) => tab !== 'study')

/** Those that there are results for; the first is shown where another is asked for. */
export function tabsOf({ kind }: Pick<Backtest, 'kind'>): readonly ResultTab[] {
  return isStudy(kind) ? ofStudy : ofRun
}

export function tabIn(value: unknown): ResultTab {
  return resultTabs.find((tab) => tab === value) ?? 'overview'
}
