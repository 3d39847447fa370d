/** What is looked at stands in the address: the tab, the chosen trade, and whether its story is open. */
import { computed } from 'vue'
import { type LocationQueryRaw, useRoute, useRouter } from 'vue-router'
import { type ResultTab, tabIn } from './resultTabs'

export function useResultAddress() {
  const route = useRoute()
  const router = useRouter()
  /** Changes of one moment become one step, so that none of them is lost. */
  let waiting: { query: LocationQueryRaw, isStep: boolean } | null = null

  function change(part: LocationQueryRaw, isStep = false) {
    if (waiting === null) {
      waiting = { query: { ...route.query }, isStep: false }
      queueMicrotask(go)
    }
    Object.assign(waiting.query, part)
    waiting.isStep ||= isStep
  }

  function go() {
    if (waiting === null) return
    const { query, isStep } = waiting
    waiting = null
    void (isStep ? router.push({ query }) : router.replace({ query }))
  }

  const tab = computed<ResultTab>({
    get: () => tabIn(route.query.tab),
    set: (value) => {
      // Filters of a table belong to its tab.
      const others = Object.keys(route.query).filter((name) => name !== 'trade').map((name) => [name, undefined])
      change({ ...Object.fromEntries(others) as LocationQueryRaw, tab: value }, true)
    },
  })
  /** `trade=12` is the twelfth; people count from 1. */
  const trade = computed<number | null>({
    get: () => {
      const number = Number(route.query.trade)
      return Number.isInteger(number) && number > 0 ? number - 1 : null
    },
    set: (row) => { change({ trade: row === null ? undefined : String(row + 1) }) },
  })
  const explained = computed<boolean>({
    get: () => route.query.why === '1',
    set: (isOpen) => { change({ why: isOpen ? '1' : undefined }) },
  })
  return { tab, trade, explained }
}
