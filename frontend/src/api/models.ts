/** Models: trained, listed, put in charge, and asked. The id of a model is that of the task that trains it. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import type { JsonSchema } from '@/shared/jsonSchema'
import { newIdempotencyKey, request } from './client'
import type { Adjustment, Timeframe } from './market'
import type { Drift, Interval, LabelKind, ModelCard, ModelSpec, Reason } from './modelCards'
import { queryClient } from './queries'
import type { Task, TaskState } from './tasks'

export interface SeriesAsked {
  provider: string
  symbol: string
  timeframe: Timeframe
  adjustment: Adjustment
}

export type ModelState = 'training' | 'candidate' | 'champion' | 'retired'

export interface ModelRow {
  id: string
  name: string
  state: ModelState
  state_reason: string
  series: SeriesAsked
  question: string
  horizon: number
  label: LabelKind
  auc: Interval | null
  ic: Interval | null
  is_trusted: boolean | null
  headline: string | null
  trained_until: string | null
  created_at: string
  task_state: TaskState
  failure: Task['failure']
  size_bytes: number
  predictions: number
}

export interface Model extends ModelRow {
  version: number
  champion_since: string | null
  retired_at: string | null
  spec: ModelSpec
  card: ModelCard | null
}

export interface Contribution {
  feature: string
  value: number | null
  contribution: number
}

export interface Outcome {
  realised_return: number
  went_up: boolean
  log_loss: number
  is_inside: boolean | null
  scored_at: string
}

export interface Prediction {
  id: string
  model_id: string
  model_name: string
  series: SeriesAsked
  as_of: string
  entry_at: string
  due_at: string
  made_at: string
  is_late: boolean
  horizon: number
  probability_up: number
  expected_return: number | null
  low: number | null
  high: number | null
  level: number
  is_trusted: boolean
  reasons: Reason[]
  model_age_bars: number
  contributions: Contribution[]
  outcome: Outcome | null
  waiting: string | null
}

export interface TrackRecord {
  predictions: number
  scored: number
  open: number
  waiting: number
  late: number
  hit_rate: number | null
  base_rate: number | null
  log_loss: number | null
  brier: number | null
  ic: Interval
  interval_coverage: number | null
  mean_expected: number | null
  mean_realised: number | null
  text: string
  items: Prediction[]
}

export interface TrainingWanted {
  series: SeriesAsked
  start: string | null
  end: string | null
  spec: Partial<ModelSpec>
  name: string | null
}

export interface TrainingEstimate {
  bars: number
  needed: number
  is_enough: boolean
  first: string
  last: string
  seconds: number
  memory_bytes: number
  cores: number
  notes: string[]
}

export interface TrainingStarted {
  id: string
  name: string
  why: string
}

export interface ModelForm {
  form: JsonSchema
  defaults: ModelSpec
}

interface Page<Item> { items: Item[], next_cursor: string | null }

export const modelsPath = '/api/models'
export const predictionsPath = '/api/predictions'
export const modelsKey = ['models'] as const
const listKey = [...modelsKey, 'list'] as const
export const modelKey = (id: string) => [...modelsKey, 'one', id] as const

/** All of them: a person has dozens, not thousands. */
export const modelsQuery = queryOptions({
  queryKey: listKey,
  queryFn: async ({ signal }) => {
    const models: ModelRow[] = []
    let cursor: string | undefined
    do {
      const { data } = await request<Page<ModelRow>>('GET', modelsPath, { signal, query: { limit: 200, cursor } })
      models.push(...data.items)
      cursor = data.next_cursor ?? undefined
    } while (cursor !== undefined)
    return models
  },
})

export function modelAddress(id: string) {
  return `${modelsPath}/${encodeURIComponent(id)}`
}

export function modelQuery(id: string) {
  return queryOptions({
    queryKey: modelKey(id),
    queryFn: async ({ signal }) => {
      const { data, etag } = await request<Model>('GET', modelAddress(id), { signal })
      return { ...data, etag: etag ?? '' }
    },
  })
}

export const formQuery = queryOptions({
  queryKey: [...modelsKey, 'form'],
  queryFn: async ({ signal }) => (await request<ModelForm>('GET', `${modelsPath}/form`, { signal })).data,
  staleTime: 60 * 60_000,
})

export function trackRecordQuery(id: string) {
  return queryOptions({
    queryKey: [...modelKey(id), 'track-record'],
    queryFn: async ({ signal }) => (await request<TrackRecord>('GET', `${modelAddress(id)}/track-record`, { signal })).data,
  })
}

export function driftQuery(id: string) {
  return queryOptions({
    queryKey: [...modelKey(id), 'drift'],
    queryFn: async ({ signal }) => (await request<Drift>('GET', `${modelAddress(id)}/drift`, { signal })).data,
  })
}

/** Of one model, the newest first. */
export function predictionsQuery(modelId: string, limit = 50) {
  return infiniteQueryOptions({
    queryKey: [...modelKey(modelId), 'predictions', limit],
    queryFn: async ({ signal, pageParam: cursor }) => {
      const query = { model_id: modelId, limit, cursor: cursor || undefined }
      return (await request<Page<Prediction>>('GET', predictionsPath, { signal, query })).data
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
  })
}

export async function estimateTraining(wanted: TrainingWanted, signal?: AbortSignal): Promise<TrainingEstimate> {
  return (await request<TrainingEstimate>('POST', `${modelsPath}/estimate`, { body: wanted, signal })).data
}

/** Under one key a training starts once, however often it is sent. */
export async function trainModel(wanted: TrainingWanted, idempotencyKey = newIdempotencyKey()): Promise<TrainingStarted> {
  const { data } = await request<TrainingStarted>('POST', `${modelsPath}/train`, { body: wanted, idempotencyKey })
  void queryClient.invalidateQueries({ queryKey: listKey })
  return data
}

/** A question about a series, which its champion answers; or a model that is to answer, whatever there is besides. */
export type PredictionAsked = { series: SeriesAsked, spec: Partial<ModelSpec> } | { model_id: string }

export type Answer = { prediction: Prediction, training: null } | { prediction: null, training: TrainingStarted }

/** A fresh champion answers at once; else one is trained first, and its task is what comes back. */
export async function predict(asked: PredictionAsked): Promise<Answer> {
  const { data, status } = await request<unknown>('POST', predictionsPath, { body: asked, idempotencyKey: newIdempotencyKey() })
  return status === 202 ? { prediction: null, training: data as TrainingStarted } : { prediction: data as Prediction, training: null }
}

export async function renameModel(id: string, name: string, etag: string) {
  await request('PATCH', modelAddress(id), { body: { name }, ifMatch: etag })
  await askModelsAgain()
}

export async function promoteModel(id: string) {
  await request('POST', `${modelAddress(id)}/promote`, { idempotencyKey: newIdempotencyKey() })
  await askModelsAgain()
}

export async function rollBackModel(id: string): Promise<Model> {
  const { data } = await request<Model>('POST', `${modelAddress(id)}/rollback`, { idempotencyKey: newIdempotencyKey() })
  await askModelsAgain()
  return data
}

export async function deleteModel(id: string) {
  await request('DELETE', modelAddress(id))
  queryClient.removeQueries({ queryKey: modelKey(id) })
  await queryClient.invalidateQueries({ queryKey: listKey })
}

/** Who is champion concerns all models of a question. */
export function askModelsAgain() {
  return queryClient.invalidateQueries({ queryKey: modelsKey })
}
