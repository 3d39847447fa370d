/** Backtests and strategies that are called as somebody types: the palette opens them. */
import { ChartSpline, Workflow } from '@lucide/vue'
import { useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { useRouter } from 'vue-router'
import { namedBacktestsQuery } from '@/api/backtests'
import { strategiesQuery } from '@/api/strategies'
import { useSettled } from '@/shared/composables/useSettled'
import type { CommandGroup } from './commands'

const settleMilliseconds = 150
const leastTyped = 2
const mostShown = 6

export function useFoundByName(search: Ref<string>, isOpen: Ref<boolean>) {
  const router = useRouter()
  const typed = computed(() => search.value.trim())
  const settled = useSettled(typed, settleMilliseconds)
  const isAsked = computed(() => isOpen.value && settled.value.length >= leastTyped && typed.value.length >= leastTyped)
  const backtests = useQuery(computed(() => ({ ...namedBacktestsQuery(settled.value), enabled: isAsked.value })))
  const strategies = useQuery(computed(() => ({ ...strategiesQuery(), enabled: isAsked.value })))

  const called = computed(() => {
    const words = settled.value.toLowerCase().split(/\s+/)
    return (strategies.data.value?.items ?? [])
      .filter(({ name, title }) => words.every((word) => `${name} ${title}`.toLowerCase().includes(word)))
      .slice(0, mostShown)
  })

  const groups = computed<CommandGroup[]>(() => (isAsked.value
    ? [
        {
          label: 'Backtests called so',
          commands: (backtests.data.value ?? []).map(({ id, name }) => ({
            id: `backtest-${id}`, label: name, icon: ChartSpline, keywords: '', run: () => { void router.push({ name: 'backtests', params: { id } }) },
          })),
        },
        {
          label: 'Strategies',
          commands: called.value.map(({ name, title }) => ({
            id: `strategy-${name}`, label: title, icon: Workflow, keywords: '', run: () => { void router.push({ name: 'strategies', params: { name } }) },
          })),
        },
      ].filter(({ commands }) => commands.length > 0)
    : []))
  /** Not everything that may be called so is known yet. */
  const isLooking = computed(() => typed.value.length >= leastTyped
    && (settled.value !== typed.value || backtests.isFetching.value || strategies.isFetching.value))
  return { groups, isLooking }
}
