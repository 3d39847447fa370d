/** Sweeps, searches and walks forward: runs whose parameters are tried out. */
import { backtestListsKey, backtestsPath, type BacktestStarted, type BacktestWanted, type RunWanted } from './backtests'
import { newIdempotencyKey, request } from './client'
import { queryClient } from './queries'
import type { components } from './schema'

export type StudyKind = 'sweep' | 'optimize' | 'walk_forward'
type Value = number | string | boolean
/** A list of values, a row of numbers, or some between the strategy's own bounds. */
export type TriedValues = readonly Value[] | { from: number, to: number, step: number } | 'auto'

export interface Study {
  space: Record<string, TriedValues>
  objective: string
  least_trades: number
  trials: number | null
  /** Of a walk forward alone. */
  folds?: number
  /** In bars, in place of folds. */
  train?: number | null
  test?: number | null
  purge?: number
  anchored?: boolean
}

export type StudyEstimate = components['schemas']['StudyEstimate']

const addresses: Record<StudyKind, string> = {
  sweep: `${backtestsPath}/sweep`, optimize: `${backtestsPath}/optimize`, walk_forward: `${backtestsPath}/walk-forward`,
}

export function isStudy(kind: components['schemas']['JobKind']): kind is StudyKind {
  return kind in addresses
}

export function studyAddress(kind: StudyKind) {
  return addresses[kind]
}

export async function estimateStudy(kind: StudyKind, wanted: RunWanted & Study, signal?: AbortSignal): Promise<StudyEstimate> {
  const options = { body: wanted, query: { kind }, signal }
  return (await request<StudyEstimate>('POST', `${backtestsPath}/studies/estimate`, options)).data
}

/** A study is a backtest like any other in the list; who made it from which is not kept. */
export async function startStudy(kind: StudyKind, wanted: BacktestWanted & Study, idempotencyKey = newIdempotencyKey()) {
  const body = Object.fromEntries(Object.entries(wanted).filter(([name]) => name !== 'parent_id'))
  const { data } = await request<BacktestStarted>('POST', addresses[kind], { body, idempotencyKey })
  void queryClient.invalidateQueries({ queryKey: backtestListsKey })
  return data
}
