/** Models: trained, listed, put in charge, and asked. The id of a model is that of the task that trains it. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/vue-query'
import type { JsonSchema } from '@/shared/jsonSchema'
import { newIdempotencyKey, request } from './client'
import type { ModelCard, ModelSpec } from './modelCards'
import { queryClient } from './queries'
import type { components } from './schema'

type Schemas = components['schemas']
export type SeriesAsked = Schemas['SeriesConfig']
export type ModelState = Schemas['ModelState']
export type ModelRow = Schemas['ModelRow']
export type TrainingRange = Required<Omit<Schemas['TrainingRange'], 'threads'>>
export type TrainingWanted = TrainingRange & { name: string | null }
export type TrainingEstimate = Schemas['TrainingEstimate']
export type TrainingStarted = Schemas['TrainingStarted']
export type Contribution = Schemas['Contribution']
export type Prediction = Schemas['PredictionRead']
export type TrackRecord = Schemas['TrackRecordRead']
export type Drift = Schemas['DriftRead']
type ModelPage = Schemas['Page_ModelRow_']
type PredictionPage = Schemas['Page_PredictionRead_']

/** A model with its card typed: the schema of the API says no more of it than that it is an object. */
export type Model = Omit<Schemas['ModelFound'], 'card'> & { card: ModelCard | null }
export type ModelForm = Omit<Schemas['ModelForm'], 'form'> & { form: JsonSchema }

/** A question about a series, which its champion answers; or a model that is to answer, whatever there is besides. */
export type PredictionAsked = { series: SeriesAsked, spec: ModelSpec } | { model_id: string }
export type Answer = { prediction: Prediction, training: null } | { prediction: null, training: TrainingStarted }

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
      const { data } = await request<ModelPage>('GET', modelsPath, { signal, query: { limit: 200, cursor } })
      models.push(...data.items)
      cursor = data.next_cursor ?? undefined
    } while (cursor !== undefined)
    return models
  },
})

/** For a glance; the newest first. */
export const latestModelsQuery = queryOptions({
  queryKey: [...modelsKey, 'latest'],
  queryFn: async ({ signal }) => (await request<ModelPage>('GET', modelsPath, { signal, query: { limit: 3 } })).data.items,
  staleTime: 0,
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
      return (await request<PredictionPage>('GET', predictionsPath, { signal, query })).data
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: cursor }) => cursor ?? undefined,
  })
}

export async function estimateTraining(wanted: TrainingRange, signal?: AbortSignal): Promise<TrainingEstimate> {
  return (await request<TrainingEstimate>('POST', `${modelsPath}/estimate`, { body: wanted, signal })).data
}

/** Under one key a training starts once, however often it is sent. */
export async function trainModel(wanted: TrainingWanted, idempotencyKey = newIdempotencyKey()): Promise<TrainingStarted> {
  const { data } = await request<TrainingStarted>('POST', `${modelsPath}/train`, { body: wanted, idempotencyKey })
  void queryClient.invalidateQueries({ queryKey: listKey })
  return data
}

/** A fresh champion answers at once; else one is trained first, and its task is what comes back. */
export async function predict(asked: PredictionAsked): Promise<Answer> {
  const { data, status } = await request<unknown>('POST', predictionsPath, { body: asked, idempotencyKey: newIdempotencyKey() })
  if (status === 202) return { prediction: null, training: data as TrainingStarted }
  void askModelsAgain() // each says how often it predicted
  return { prediction: data as Prediction, training: null }
}

/** The usual question about a series; under one key it is asked once. */
export async function predictSeries(series: SeriesAsked, idempotencyKey: string) {
  await request('POST', predictionsPath, { body: { series }, idempotencyKey })
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
