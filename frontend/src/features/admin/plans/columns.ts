/** What the table of plans is told about its columns, and the numbers that a plan has. */
import type { Plan, PlanNumbers } from '@/api/administration'
import type { TableColumn } from '@/shared/table'

export const numbers: { name: keyof PlanNumbers, header: string, label: string, hint: string, least: number }[] = [
  { name: 'most_queued', header: 'May wait', label: 'Tasks that may wait', hint: 'In the queue at once.', least: 0 },
  { name: 'most_running', header: 'Run at once', label: 'Tasks that run at once', hint: 'If the machine has room for them.', least: 1 },
  { name: 'most_backtests', header: 'Backtests', label: 'Backtests kept', hint: 'With their results.', least: 0 },
  { name: 'most_models', header: 'Models', label: 'Models kept', hint: 'With their files.', least: 0 },
]

export const columns: TableColumn<Plan>[] = [
  { id: 'name', header: 'Plan', value: ({ name }) => name, width: 132, fixed: true },
  { id: 'users', header: 'Users', value: ({ users }) => users, kind: 'number', width: 88 },
  ...numbers.map(({ name, header }): TableColumn<Plan> => ({ id: name, header, value: (plan) => plan[name], kind: 'number', width: 112 })),
]
