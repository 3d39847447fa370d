/** What came of a task that brings bars. */
import type { TaskInFull } from '@/api/tasks'
import { integer } from '@/shared/format'
import { isRepair } from './transfers'

interface Fetched { bars?: number, percent?: number }
interface Imported { rows?: number, bad_rows?: number }

export function outcomeOf(task: Pick<TaskInFull, 'kind' | 'state' | 'result' | 'payload'>): string {
  if (task.state === 'cancelled') return cancelled(task)
  // An event says that it is done a moment before its result is there.
  if (task.state !== 'completed' || task.result === null) return ''
  if (task.kind === 'import') return imported(task.result as Imported)
  return fetched(task.result as Fetched, isRepair(task))
}

function cancelled({ kind, result }: Pick<TaskInFull, 'kind' | 'result'>) {
  if (kind === 'import') return 'Nothing was stored.'
  const { bars = 0, percent } = (result ?? {}) as Fetched
  if (bars === 0) return 'Nothing had come yet.'
  const share = percent === undefined ? '' : ` at ${integer(Math.floor(percent))}%`
  return `It stopped${share}. What came until then, ${count(bars, 'bar')}, is kept; resuming goes on from there.`
}

function fetched({ bars = 0 }: Fetched, again: boolean) {
  if (bars > 0) return `Fetched ${count(bars, 'bar')}${again ? ' again' : ''}.`
  return again ? 'The provider has no bars there either, so the gap stays.' : 'Nothing was missing, or the provider has no bars there.'
}

function imported({ rows: good = 0, bad_rows: left = 0 }: Imported) {
  const rows = count(good, 'bar')
  return left === 0 ? `Imported ${rows}.` : `Imported ${rows}, left out ${count(left, 'bad row')}.`
}

function count(number: number, noun: string) {
  return `${integer(number)} ${noun}${number === 1 ? '' : 's'}`
}
