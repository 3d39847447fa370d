/** What can be done with a trained model. Who is in charge concerns all models of its question. */
import { ref } from 'vue'
import { useRouter } from 'vue-router'
import { ApiError } from '@/api/client'
import { deleteModel, predict, promoteModel, rollBackModel } from '@/api/models'
import { notify } from '@/shared/composables/notify'
import type { TrainedModel } from './modelTabs'

export function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'
}

export function useModelActions(model: () => TrainedModel) {
  const router = useRouter()
  const working = ref<'promote' | 'rollback' | 'delete' | null>(null)
  const failure = ref('')

  async function attempt(what: NonNullable<typeof working.value>, work: () => Promise<unknown>) {
    working.value = what
    failure.value = ''
    try {
      await work()
      return true
    } catch (error) {
      failure.value = reasonOf(error)
      return false
    } finally {
      working.value = null
    }
  }

  function promote() {
    return attempt('promote', async () => {
      await promoteModel(model().id)
      notify.success('It is the champion now.')
    })
  }

  function rollBack() {
    return attempt('rollback', async () => {
      const { id, name } = await rollBackModel(model().id)
      notify.success(id === model().id ? 'It is the champion no more.' : `${name} is the champion again.`)
    })
  }

  function remove() {
    return attempt('delete', async () => {
      await deleteModel(model().id)
      notify.success('Deleted.')
      await router.push({ name: 'predictions' })
    })
  }

  return { working, failure, promote, rollBack, remove }
}

/** Asks for a prediction; where a model has to be trained for it first, it goes where that can be watched. */
export function usePredicting(model: () => TrainedModel) {
  const router = useRouter()
  const isAsking = ref(false)
  const problem = ref<unknown>(null)

  /** As a champion its question is asked, so that a stale one is trained anew; another model answers for itself. */
  function asked() {
    const { id, state, series, spec } = model()
    return state === 'champion' ? { series, spec } : { model_id: id }
  }

  async function ask() {
    if (isAsking.value) return null
    isAsking.value = true
    problem.value = null
    try {
      const { prediction, training } = await predict(asked())
      if (training !== null) {
        notify.info(`A model is trained first. ${training.why}`)
        // Its end is where the prediction is.
        await router.push({ name: 'predictions', params: { part: 'models', id: training.id }, query: { tab: 'predictions' } })
      }
      return prediction
    } catch (error) {
      problem.value = error
      return null
    } finally {
      isAsking.value = false
    }
  }

  return { isAsking, problem, asked, ask }
}
