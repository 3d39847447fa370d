/** The tabs of a model by the names that stand in its address, and what else of it does. */
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { ModelCard } from '@/api/modelCards'
import type { Model } from '@/api/models'

export type TrainedModel = Omit<Model, 'card'> & { card: ModelCard, etag: string }

export const modelTabs = [
  { value: 'overview', label: 'Overview' },
  { value: 'calibration', label: 'Calibration' },
  { value: 'deciles', label: 'Deciles' },
  { value: 'importance', label: 'Importance' },
  { value: 'predictions', label: 'Predictions' },
  { value: 'record', label: 'Track record' },
  { value: 'drift', label: 'Drift' },
  { value: 'card', label: 'Card' },
] as const
export type ModelTab = typeof modelTabs[number]['value']

export function useModelAddress() {
  const route = useRoute()
  const router = useRouter()
  const tab = computed<ModelTab>({
    get: () => modelTabs.find(({ value }) => value === route.query.tab)?.value ?? 'overview',
    set: (value) => { void router.push({ query: value === 'overview' ? {} : { tab: value } }) },
  })
  /** The prediction that is looked at; without one it is the newest. */
  const prediction = computed<string>({
    get: () => (typeof route.query.prediction === 'string' ? route.query.prediction : ''),
    set: (id) => { void router.replace({ query: { tab: 'predictions', ...(id === '' ? {} : { prediction: id }) } }) },
  })
  return { tab, prediction }
}
