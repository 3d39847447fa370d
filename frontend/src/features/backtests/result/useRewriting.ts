/** A name or notes under a pen: what is written is kept only if nobody else wrote meanwhile. */
import { ref } from 'vue'
import { ApiError } from '@/api/client'
import { rewrite, versionOf } from '@/api/backtestResults'
import { notify } from '@/shared/composables/notify'

export function useRewriting(id: () => string, field: 'name' | 'notes', what: string) {
  const isOpen = ref(false)
  const text = ref('')
  const saving = ref(false)
  const failure = ref('')
  let etag: string | undefined
  let asking: Promise<void> = Promise.resolve()

  function begin(now: string) {
    text.value = now
    failure.value = ''
    isOpen.value = true
    asking = ask(now)
    return asking
  }

  async function ask(now: string) {
    try {
      const version = await versionOf(id())
      etag = version.etag
      // Somebody wrote since the page was read, and nobody has typed here yet.
      if (text.value === now) text.value = version.backtest[field]
    } catch {
      etag = undefined // it is asked for again by saving
    }
  }

  async function save() {
    if (saving.value) return
    saving.value = true
    failure.value = ''
    try {
      await asking
      await rewrite(id(), { [field]: text.value }, etag)
      isOpen.value = false
    } catch (error) {
      failure.value = reasonOf(error, field)
      if (error instanceof ApiError && error.status === 412) await begin(text.value)
      if (failure.value === '') failure.value = `${what} changed meanwhile. Save again to replace it.`
    } finally {
      saving.value = false
    }
  }

  function cancel() {
    isOpen.value = false
  }

  return { isOpen, text, saving, failure, begin, save, cancel }
}

function reasonOf(error: unknown, field: string): string {
  if (!(error instanceof ApiError)) return 'Something unexpected happened. Try again.'
  return error.status === 412 ? '' : error.problemOf(field) ?? error.explanation
}

export function refused(what: string, error: unknown) {
  notify.error(`${what} ${error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'}`)
}
