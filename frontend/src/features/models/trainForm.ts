/** The form of a training: what it holds, what is sent from it, and how it is filled from a model that was made before. */
import type { ModelSpec } from '@/api/modelCards'
import type { Model, TrainingWanted } from '@/api/models'
import { presetDays } from '@/shared/dayRange'
import { fieldsOf, isRecord, type JsonSchema } from '@/shared/jsonSchema'
import { daysFrom, type MarketForm, momentsOf } from '@/shared/marketForm'

export interface TrainForm extends MarketForm {
  /** By the names of the spec; what is not there is as usual. */
  spec: Record<string, unknown>
  name: string
}

/** The fields that everybody looks at; the others wait behind a click. */
const plain = ['horizon', 'label', 'barrier', 'folds', 'cost_bps']

export function newForm(now: Date): TrainForm {
  return {
    provider: 'demo', symbols: [], timeframe: '1h', adjustment: 'raw', ...presetDays('five', now), exactly: null, spec: {}, name: '',
  }
}

/** The same question on the same bars, up to the newest. */
export function formOf({ series, spec, card }: Pick<Model, 'series' | 'spec' | 'card'>, now: Date): TrainForm {
  const { symbol, ...market } = series
  const days = daysFrom({ start: card?.data.first ?? null, end: null })
  return { ...newForm(now), ...market, symbols: [symbol], ...days, spec: { ...spec } }
}

export function wantedOf(form: TrainForm): TrainingWanted | null {
  const [symbol] = form.symbols
  if (symbol === undefined) return null
  const { provider, timeframe, adjustment } = form
  return {
    series: { provider, symbol, timeframe, adjustment }, ...momentsOf(form), spec: form.spec as unknown as ModelSpec,
    name: form.name.trim() || null,
  }
}

/** Barriers are asked for where there are any. */
export function shownSchema(schema: JsonSchema, spec: Record<string, unknown>, part: 'plain' | 'advanced'): JsonSchema {
  const { properties = {}, ...others } = schema
  const shown = Object.entries(properties).filter(([name]) => {
    if (name === 'barrier' && spec.label !== 'triple_barrier') return false
    return plain.includes(name) === (part === 'plain')
  })
  return { ...others, properties: Object.fromEntries(shown) }
}

/** Names of what waits behind the click, said beside it. */
export function advancedNames(schema: JsonSchema) {
  return fieldsOf(shownSchema(schema, {}, 'advanced')).map(({ label }) => label.toLowerCase())
}

const key = (owner: string) => `tidemark.training-draft.${owner}`

/** What was typed and not sent yet, for as long as the tab is open. A draft of another beginning is none. */
export function draftOf(owner: string, origin: string, now: Date): TrainForm | null {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key(owner)) ?? 'null')
    if (!isRecord(kept) || kept.origin !== origin || !isRecord(kept.form) || !Array.isArray(kept.form.symbols)) return null
    return { ...newForm(now), ...kept.form }
  } catch {
    return null
  }
}

export function keepDraft(owner: string, origin: string, form: TrainForm) {
  try {
    sessionStorage.setItem(key(owner), JSON.stringify({ origin, form }))
  } catch {
    // The storage is full or closed: then there is no draft.
  }
}

export function dropDraft(owner: string) {
  sessionStorage.removeItem(key(owner))
}
