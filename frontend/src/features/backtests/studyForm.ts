/** What of a run is tried out: which parameters over which values, what they are ranked by, and in which windows. */
import type { RunConfig } from '@/api/backtestResults'
import type { Study, StudyKind, TriedValues } from '@/api/studies'
import { isRecord, type SchemaField } from '@/shared/jsonSchema'

export type Mode = 'single' | StudyKind
export type Trying = 'fixed' | 'auto' | 'range' | 'list'

export interface Tried {
  how: Trying
  from: string | null
  to: string | null
  step: string | null
  /** With commas between them. */
  list: string | null
}

export interface StudyForm {
  tried: Record<string, Tried>
  objective: string
  leastTrades: string | null
  trials: string | null
  folds: string | null
  /** In bars, in place of folds. */
  train: string | null
  test: string | null
  purge: string | null
  anchored: boolean
}

export const modes: { value: Mode, label: string }[] = [
  { value: 'single', label: 'Single run' },
  { value: 'sweep', label: 'Sweep' },
  { value: 'optimize', label: 'Optimize' },
  { value: 'walk_forward', label: 'Walk-forward' },
]

export const modeHints: Record<StudyKind, string> = {
  sweep: 'All combinations are tried, or so many of them by lot.',
  optimize: 'A search that learns where good parameters lie, with few trials.',
  walk_forward: 'In each fold all combinations are tried, and the winner trades the bars after it: what choosing was worth.',
}

export const objectives = [
  ['sharpe', 'Sharpe ratio'], ['sortino', 'Sortino ratio'], ['calmar', 'Calmar ratio'], ['total_return', 'Total return'], ['cagr', 'Return a year'],
  ['max_drawdown', 'Smallest drawdown'], ['profit_factor', 'Profit factor'], ['expectancy', 'Expectancy'], ['sqn', 'System quality number'], ['win_rate', 'Win rate'],
].map(([value = '', label = '']) => ({ value, label }))

export function newStudy(): StudyForm {
  return { tried: {}, objective: 'sharpe', leastTrades: '10', trials: null, folds: '5', train: null, test: null, purge: '0', anchored: false }
}

/** As it was tried before; what that study does not say is as usual. */
export function studyFrom({ space, plan }: NonNullable<RunConfig['study']>): StudyForm {
  const usual = newStudy()
  return {
    tried: Object.fromEntries(Object.entries(space).map(([name, values]) => [name, triedFrom(values)])),
    objective: plan.objective,
    leastTrades: String(plan.least_trades),
    trials: text(plan.trials),
    folds: text(plan.folds) ?? usual.folds,
    train: text(plan.train),
    test: text(plan.test),
    purge: text(plan.purge) ?? usual.purge,
    anchored: plan.anchored ?? false,
  }
}

function triedFrom(values: TriedValues): Tried {
  const nothing = { from: null, to: null, step: null, list: null }
  if (values === 'auto') return { ...nothing, how: 'auto' }
  if ('from' in values) return { ...nothing, how: 'range', from: text(values.from), to: text(values.to), step: text(values.step) }
  return { ...nothing, how: 'list', list: values.map(String).join(', ') }
}

/** What a draft kept of it; an older version may have kept less. */
export function studyKept(kept: unknown): StudyForm {
  return isRecord(kept) && isRecord(kept.tried) ? { ...newStudy(), ...kept } : newStudy()
}

function text(number: number | null | undefined) {
  return number === null || number === undefined ? null : String(number)
}

/** Parameters that can be tried out: numbers, switches and choices. */
export function triable(fields: readonly SchemaField[]) {
  return fields.filter(({ kind }) => kind === 'integer' || kind === 'number' || kind === 'boolean' || kind === 'choice')
}

export const isNumber = ({ kind }: SchemaField) => kind === 'integer' || kind === 'number'

/** A range to begin with: from a half to twice of what is usual, within the bounds. */
export function usualRange(field: SchemaField): Tried {
  const usual = typeof field.default === 'number' ? field.default : field.min ?? 1
  const whole = field.kind === 'integer'
  const cut = (value: number) => {
    const within = Math.min(field.max ?? Infinity, Math.max(field.min ?? -Infinity, value))
    return String(whole ? Math.round(within) : Number(within.toPrecision(4)))
  }
  const step = whole ? Math.max(1, Math.round(usual / 4)) : Number((Math.abs(usual) / 4 || 0.1).toPrecision(2))
  return { how: 'range', from: cut(usual / 2), to: cut(usual * 2), step: String(step), list: null }
}

/** Null while nothing is tried or a range is not whole. */
export function studyOf(kind: StudyKind, form: StudyForm, fields: readonly SchemaField[]): Study | null {
  const space: Record<string, TriedValues> = {}
  for (const field of triable(fields)) {
    const values = valuesOf(field, form.tried[field.name])
    if (values === null) return null
    if (values !== undefined) space[field.name] = values
  }
  if (Object.keys(space).length === 0) return null
  const [train, test] = [numberOf(form.train), numberOf(form.test)]
  const lengths = train === null && test === null ? {} : { train, test }
  const windows = { folds: numberOf(form.folds) ?? 5, ...lengths, purge: numberOf(form.purge) ?? 0, anchored: form.anchored }
  return {
    space, objective: form.objective, least_trades: numberOf(form.leastTrades) ?? 0, trials: numberOf(form.trials),
    ...(kind === 'walk_forward' ? windows : {}),
  }
}

function valuesOf(field: SchemaField, tried: Tried | undefined): TriedValues | null | undefined {
  if (tried === undefined || tried.how === 'fixed') return undefined
  if (tried.how === 'auto') return 'auto'
  if (tried.how === 'list') return listed(field, tried.list ?? '')
  const [from, to, step] = [numberOf(tried.from), numberOf(tried.to), numberOf(tried.step)]
  return from === null || to === null || step === null ? null : { from, to, step }
}

function listed(field: SchemaField, typed: string) {
  const values = wordsOf(typed).map((word) => valueOf(field, word))
  return values.length === 0 || values.includes(null) ? null : values as (number | string | boolean)[]
}

/** Which word of a list is no value of the parameter; undefined when all are. */
export function listProblem(field: SchemaField, typed: string) {
  const wrong = wordsOf(typed).find((word) => valueOf(field, word) === null)
  if (wrong === undefined) return undefined
  return isNumber(field) ? `“${wrong}” is no number.` : `“${wrong}” is not one of its choices.`
}

function wordsOf(typed: string) {
  return typed.split(',').map((word) => word.trim()).filter((word) => word !== '')
}

function valueOf(field: SchemaField, word: string) {
  if (!isNumber(field)) return choiceOf(field, word)
  return Number.isFinite(Number(word)) ? Number(word) : null
}

/** As the strategy means what is typed; null when it has no such choice. */
function choiceOf({ kind, choices }: SchemaField, word: string) {
  const values = kind === 'boolean' ? [true, false] : choices.map(({ value }) => value)
  return values.find((value) => String(value) === word) ?? null
}

function numberOf(text: string | null) {
  return text === null || text === '' ? null : Number(text)
}
