/** What tasks and their states are called, the same on every page. */
import type { TaskKind, TaskState } from '@/api/tasks'
import type { Status } from './components/StatusBadge.vue'

export const kindNames: Record<TaskKind, string> = {
  backtest: 'Backtest',
  sweep: 'Sweep',
  optimize: 'Optimization',
  walk_forward: 'Walk-forward',
  train: 'Training',
  predict: 'Prediction',
  fetch: 'Data fetch',
  import: 'Import',
  export: 'Export',
  guard: 'Guard',
  score: 'Scoring',
  maintain: 'Housekeeping',
}

export const stateNames: Record<TaskState, string> = {
  queued: 'Queued', running: 'Running', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled',
}

const stageNames: Record<string, string> = {
  bars: 'Reading bars', signals: 'Asking the strategy', trading: 'Trading', figures: 'Working out the figures',
  checks: 'Checking the result', trials: 'Trying parameters', packing: 'Storing the result',
}

/** What a task is doing, as it names it itself where it has no other name. */
export function stageName(stage: string) {
  return stageNames[stage] ?? stage
}

interface Stand {
  state: TaskState
  cancel_requested_at: string | null
  is_partial: boolean
}

export function isStopping({ state, cancel_requested_at: asked }: Stand) {
  return state === 'running' && asked !== null
}

/** How a badge shows it. */
export function standOf(task: Stand): { status: Status, label: string } {
  if (isStopping(task)) return { status: 'running', label: 'Stopping' }
  if (task.is_partial) return { status: 'partial', label: 'Partial' }
  return { status: task.state, label: stateNames[task.state] }
}

/** So much of an id as people need to tell tasks apart; commands take it too. */
export function shortId(id: string) {
  return id.slice(0, 8)
}
