/** One submit of a form: busy while it runs, and the failure in plain words when it fails. */
import { readonly, ref } from 'vue'
import { explain } from './messages'

export function useAttempt() {
  const busy = ref(false)
  const failure = ref('')
  const failureCode = ref('')

  /** True when it succeeded. A second click while it runs does nothing. */
  async function attempt(action: () => Promise<unknown>) {
    if (busy.value) return false
    busy.value = true
    failure.value = ''
    failureCode.value = ''
    try {
      await action()
      return true
    } catch (error) {
      failure.value = explain(error)
      failureCode.value = codeOf(error)
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy: readonly(busy), failure, failureCode: readonly(failureCode), attempt }
}

function codeOf(error: unknown) {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
