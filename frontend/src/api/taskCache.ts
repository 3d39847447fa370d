/** What an event changes in answers that are there already, or on their way: lists and single tasks stay as the server has them. */
import type { InfiniteData, QueryKey } from '@tanstack/vue-query'
import { forgetProgress } from './progress'
import { queryClient } from './queries'
import type { Task, TaskFilter, TaskInFull, TaskPage } from './tasks'

/** A task as events tell it: what it is and where it stands. */
export type TaskInBrief = Omit<Task, 'about' | 'waits_for' | 'waits_seconds' | 'progress' | 'failure'> & {
  failure: Omit<NonNullable<Task['failure']>, 'log_tail'> | null
}

export interface TaskChanged {
  id: number
  type: `task_${Task['state']}`
  task: TaskInBrief
}

export type TaskList = InfiniteData<TaskPage, string>
type Change = Pick<TaskChanged, 'task'>

export const tasksKey = ['tasks'] as const
export const listsKey = [...tasksKey, 'list'] as const
export const taskKey = (id: string) => [...tasksKey, 'one', id] as const

/** What was heard while an answer was on its way, by the question. */
const meanwhile = new Map<string, TaskChanged[]>()

/** Puts what happened while an answer was on its way on top of it, since the answer may be older. Returns how to stop. */
export function keepAnswersCurrent(): () => void {
  return queryClient.getQueryCache().subscribe((event) => {
    const { query } = event
    if (event.type !== 'updated' || query.queryKey[0] !== tasksKey[0]) return
    if (event.action.type === 'fetch') meanwhile.set(query.queryHash, [])
    else if (event.action.type === 'error') meanwhile.delete(query.queryHash)
    else if (event.action.type === 'success' && event.action.manual !== true) {
      const heard = meanwhile.get(query.queryHash) ?? []
      meanwhile.delete(query.queryHash)
      if (heard.length > 0) changeAnswer(query.queryKey, heard)
      // A first answer on its way is not asked again when an event comes, and what it brings may be from before.
      const [, kind, which] = query.queryKey
      if (kind === 'one' && heard.some(({ task }) => task.id === which)) askOneAgain(which as string)
    }
  })
}

/** Shows what events say in every answer that is kept. */
export function hearChanges(events: readonly TaskChanged[]) {
  for (const heard of meanwhile.values()) heard.push(...events)
  for (const { task } of events) forgetProgress(task.id)
  changeAnswers(events)
  for (const id of new Set(events.map(({ task }) => task.id))) askOneAgain(id)
}

/** Shows a task as its owner just made it, before any event tells so. */
export function showTask(task: TaskInBrief) {
  changeAnswers([{ task }])
}

export function askAgain(id: string) {
  askOneAgain(id)
  void queryClient.invalidateQueries({ queryKey: listsKey })
}

/** Something was missed: what is on the screen is asked again, also where a first answer is still on its way. */
export async function askAllAgain() {
  forgetProgress()
  queryClient.removeQueries({ queryKey: tasksKey, type: 'inactive' })
  await queryClient.cancelQueries({ queryKey: tasksKey })
  await queryClient.invalidateQueries({ queryKey: tasksKey })
}

/** Result and log are in no event. */
function askOneAgain(id: string) {
  void queryClient.invalidateQueries({ queryKey: taskKey(id) })
}

function changeAnswers(changes: readonly Change[]) {
  for (const { queryKey } of queryClient.getQueryCache().findAll({ queryKey: tasksKey })) changeAnswer(queryKey, changes)
}

function changeAnswer(queryKey: QueryKey, changes: readonly Change[]) {
  const [, kind, which] = queryKey
  if (kind === 'list') queryClient.setQueryData<TaskList>(queryKey, (list) => list && listAfter(list, which as TaskFilter, changes))
  else queryClient.setQueryData<TaskInFull>(queryKey, (task) => task && onTopOf(task, changes.filter((change) => change.task.id === which)))
}

/** A whole list with what happened since. */
export function listAfter(list: TaskList, filter: TaskFilter, changes: readonly Change[]): TaskList {
  const pages = list.pages.map((page) => ({ ...page, items: [...page.items] }))
  for (const { task } of changes) {
    const known = pages.find(({ items }) => items.some(({ id }) => id === task.id))
    if (known !== undefined) replace(known, filter, task)
    else if (fits(filter, task)) insert(pages.find((page) => reaches(page, task)), task)
  }
  return { ...list, pages }
}

export function onTopOf<Known extends Task>(known: Known, changes: readonly Change[]): Known {
  return changes.reduce((task, change) => merged(task, change.task), known)
}

function replace({ items }: TaskPage, filter: TaskFilter, task: TaskInBrief) {
  const at = items.findIndex(({ id }) => id === task.id)
  const known = items[at]
  if (known !== undefined) items.splice(at, 1, ...(fits(filter, task) ? [merged(known, task)] : []))
}

function insert(page: TaskPage | undefined, task: TaskInBrief) {
  if (page === undefined) return
  const at = page.items.findIndex((other) => isNewer(task, other))
  page.items.splice(at < 0 ? page.items.length : at, 0, { ...task, ...unknown, about: null, failure: failureOf(task) })
}

const unknown = { waits_for: null, waits_seconds: null, progress: null }

function merged<Known extends Task>(known: Known, task: TaskInBrief): Known {
  const isSameRun = known.state === task.state && known.attempts === task.attempts
  return { ...known, ...(isSameRun ? {} : unknown), ...task, failure: failureOf(task) ?? null }
}

function failureOf({ failure }: TaskInBrief) {
  return failure === null ? null : { log_tail: null, ...failure }
}

function fits({ states, kinds }: TaskFilter, { state, kind }: TaskInBrief) {
  return (states.length === 0 || states.includes(state)) && (kinds.length === 0 || kinds.includes(kind))
}

/** The task belongs into this page, or behind it where no page follows. */
function reaches({ items, next_cursor: next }: TaskPage, task: TaskInBrief) {
  return next === null || items.some((other) => isNewer(task, other))
}

function isNewer(one: TaskInBrief, other: Task) {
  return Date.parse(one.created_at) >= Date.parse(other.created_at)
}
