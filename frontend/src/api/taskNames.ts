/** What one's own tasks are about: a backtest, a study and a training bear the name of what they make, others that of their bars. */
import { queryOptions, useQuery } from '@tanstack/vue-query'
import { watch, type Ref } from 'vue'
import { backtestsKey, backtestsPath } from './backtests'
import { request } from './client'
import { modelsPath } from './models'
import type { components } from './schema'
import { queryClient } from './queries'
import { listsKey } from './taskCache'
import type { Task, TaskKind } from './tasks'

type Schemas = components['schemas']
const mostNamed = 200
const named: readonly TaskKind[] = ['backtest', 'sweep', 'optimize', 'walk_forward', 'train']

/** Of the newest of each; older ones are told apart by their ids. */
export const taskNamesQuery = queryOptions({
  queryKey: [...backtestsKey, 'names of tasks'],
  queryFn: async ({ signal }) => {
    const query = { limit: mostNamed }
    const [backtests, models] = await Promise.all([
      request<Schemas['Page_BacktestRow_']>('GET', backtestsPath, { signal, query }),
      request<Schemas['Page_ModelRow_']>('GET', modelsPath, { signal, query }),
    ])
    return new Map([...backtests.data.items, ...models.data.items].map(({ id, name }) => [id, name]))
  },
})

export function useTaskNames(tasks: Ref<readonly Pick<Task, 'id' | 'kind' | 'about'>[]>) {
  const query = useQuery(taskNamesQuery)
  // A task that came since has a name that was not asked for yet.
  watch(() => tasks.value.find(({ kind }) => named.includes(kind))?.id, (newest) => {
    if (newest !== undefined && query.data.value?.has(newest) === false) void query.refetch()
  })
  // Events do not say what a task is about.
  watch(() => tasks.value.find(({ kind, about }) => about === null && !named.includes(kind))?.id, (untold) => {
    if (untold !== undefined) void queryClient.invalidateQueries({ queryKey: listsKey })
  })
  return ({ id, about }: Pick<Task, 'id' | 'about'>) => query.data.value?.get(id) ?? about
}
