/** Sends a key once, and says in the words of its form why it was not taken. */
import { reactive, ref } from 'vue'
import { ApiError } from '@/api/client'
import type { ExchangeKey } from '@/api/exchangeKeys'

export const fields = ['provider', 'label', 'key', 'secret', 'passphrase'] as const
export type KeyField = (typeof fields)[number]

export function useSendKey() {
  const working = ref(false)
  const problems = reactive<Record<KeyField, string>>({ provider: '', label: '', key: '', secret: '', passphrase: '' })
  /** What is no matter of one field. */
  const problem = ref<{ title: string, cause: unknown } | null>(null)
  const asksConsent = ref(false)
  let turn = 0

  function forget() {
    turn += 1
    working.value = false
    clear()
  }

  function clear() {
    for (const field of fields) problems[field] = ''
    problem.value = null
    asksConsent.value = false
  }

  /** The key as it is stored; null when it is not, or nobody waits for it any more. */
  async function send(ask: () => Promise<ExchangeKey>, name: string): Promise<ExchangeKey | null> {
    const mine = ++turn
    working.value = true
    try {
      const stored = await ask()
      return mine === turn ? stored : null
    } catch (error) {
      if (mine === turn) tell(error, name)
      return null
    } finally {
      if (mine === turn) working.value = false
    }
  }

  function tell(error: unknown, name: string) {
    clear()
    if (error instanceof ApiError && error.code === 'key_can_withdraw') {
      asksConsent.value = true
      return
    }
    const wrong = error instanceof ApiError ? fields.filter((field) => error.problemOf(field) !== undefined) : []
    for (const field of wrong) problems[field] = (error as ApiError).problemOf(field) ?? ''
    // Why the provider does not take it belongs where it can be mended.
    if (error instanceof ApiError && error.code === 'key_refused') problems.key = error.detail
    else if (wrong.length === 0) {
      problem.value = { title: titleOf(error, name), cause: error instanceof ApiError ? new Plain(error) : error }
    }
  }

  return { working, problems, problem, asksConsent, send, clear, forget }
}

function titleOf(error: unknown, name: string) {
  if (!(error instanceof ApiError)) return 'The key was not stored'
  if (error.code === 'vendor_busy') return `${name} asks us to wait`
  if (error.code === 'vendor_unavailable') return `${name} cannot be reached`
  return error.isUnreachable ? 'Nobody knows whether the key was stored' : 'The key was not stored'
}

/** The same without what the title and the fields say already. */
class Plain extends ApiError {
  constructor(error: ApiError) {
    const isVendor = error.code.startsWith('vendor_')
    const detail = error.isUnreachable ? `${error.detail} Then look whether the key is in the list.` : error.detail
    super({
      status: error.status, code: error.code, title: detail, detail: isVendor ? `${detail} Nothing was stored.` : detail,
      requestId: error.requestId,
    })
  }
}
