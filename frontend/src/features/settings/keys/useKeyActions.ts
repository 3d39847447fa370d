/** What one does with a key of the list, and what the list knows afterwards. */
import { useQueryClient } from '@tanstack/vue-query'
import { reactive, ref } from 'vue'
import { ApiError } from '@/api/client'
import { deleteKey, type ExchangeKey, keyEventsQuery, keysQuery, testKey } from '@/api/exchangeKeys'
import { notify } from '@/shared/composables/notify'
import { nameOf, stateLooks } from './keyWords'

export function useKeyActions() {
  const client = useQueryClient()
  const testing = reactive(new Set<string>())
  const deleting = ref(false)
  const deleteFailure = ref('')

  function keep(key: ExchangeKey) {
    client.setQueryData(keysQuery.queryKey, (keys) => {
      if (keys === undefined) return undefined
      return keys.some(({ id }) => id === key.id) ? keys.map((one) => (one.id === key.id ? key : one)) : [key, ...keys]
    })
    refreshAudit()
  }

  function refreshAudit() {
    void client.invalidateQueries({ queryKey: keyEventsQuery.queryKey })
  }

  async function test(key: ExchangeKey) {
    if (testing.has(key.id)) return
    testing.add(key.id)
    try {
      const found = await testKey(key.id)
      keep(found)
      const words = `${key.label}: ${stateLooks[found.health.state].label.toLowerCase()}. ${found.health.detail}`
      if (found.health.state === 'works') notify.success(`${key.label} works: ${nameOf(key.provider)} takes it.`)
      else notify.warning(words)
    } catch (error) {
      notify.error(reasonOf(error))
      if (error instanceof ApiError && error.status === 404) void client.invalidateQueries({ queryKey: keysQuery.queryKey })
    } finally {
      testing.delete(key.id)
    }
  }

  /** True when it is gone. */
  async function remove(key: ExchangeKey) {
    deleting.value = true
    deleteFailure.value = ''
    try {
      await deleteKey(key.id)
    } catch (error) {
      // Gone already is what was wanted.
      if (!(error instanceof ApiError && error.status === 404)) {
        deleteFailure.value = reasonOf(error)
        return false
      }
    } finally {
      deleting.value = false
    }
    client.setQueryData(keysQuery.queryKey, (keys) => keys?.filter(({ id }) => id !== key.id))
    refreshAudit()
    notify.success(`Deleted here. At ${nameOf(key.provider)} it goes on to work until you delete it there.`)
    return true
  }

  return { testing, deleting, deleteFailure, keep, refreshAudit, test, remove }
}

function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Reload the page and try again.'
}
