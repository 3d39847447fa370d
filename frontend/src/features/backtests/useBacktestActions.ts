/** What can be done with backtests of the list, one or many: shown at once, and taken back should the server refuse. */
import { shallowReactive } from 'vue'
import { changeRows, shortenLists } from '@/api/backtestCache'
import {
  type BacktestEdit, type BacktestFilter, backtestListsKey, type BacktestRow, deleteBacktest, editBacktest, restoreBacktest, tagsQuery,
} from '@/api/backtests'
import { ApiError } from '@/api/client'
import { queryClient } from '@/api/queries'
import { notify } from '@/shared/composables/notify'

const atOnce = 4
type Rows = readonly BacktestRow[]

export function useBacktestActions() {
  const working = shallowReactive(new Set<string>())

  /** A few at once; after a refusal no more are tried. Returns those that are done. */
  async function forAll(rows: Rows, change: (row: BacktestRow) => Promise<unknown>) {
    const waiting = [...rows]
    const done: BacktestRow[] = []
    let refusal: unknown
    async function work() {
      for (let row = waiting.shift(); row !== undefined && refusal === undefined; row = waiting.shift()) {
        working.add(row.id)
        try {
          await change(row)
          done.push(row)
        } catch (error) {
          refusal = error
        } finally {
          working.delete(row.id)
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    return { done, refusal }
  }

  async function edit(rows: Rows, editOf: (row: BacktestRow) => BacktestEdit, words: { done: string, not: string }) {
    show(rows, (row) => after(row, editOf(row)))
    const { done, refusal } = await forAll(rows, (row) => editBacktest(row.id, editOf(row)))
    void queryClient.invalidateQueries({ queryKey: tagsQuery.queryKey })
    if (refusal === undefined) {
      if (words.done !== '') notify.success(words.done)
      return true
    }
    const isDone = new Set(done.map(({ id }) => id))
    show(rows.filter(({ id }) => !isDone.has(id)), (row) => row)
    notify.error(`${words.not} ${reasonOf(refusal)}`)
    return false
  }

  function star(rows: Rows, isStarred: boolean) {
    const done = rows.length > 1 ? `${isStarred ? 'Starred' : 'Unstarred'} ${count(rows)}.` : ''
    return edit(rows, () => ({ is_starred: isStarred }), { done, not: 'The star was not set.' })
  }

  function tag(rows: Rows, { add, remove }: { add: readonly string[], remove: readonly string[] }) {
    return edit(rows, (row) => ({ tags: tagsAfter(row, { add, remove }) }), { done: `Tagged ${count(rows)}.`, not: 'Not all are tagged.' })
  }

  async function archive(rows: Rows, isArchived: boolean) {
    leave(rows, isArchived ? 'current' : 'archived')
    const { done, refusal } = await forAll(rows, (row) => editBacktest(row.id, { is_archived: isArchived }))
    await finish(refusal, !isArchived)
    if (refusal === undefined) notify.undoable(`${isArchived ? 'Archived' : 'Took out of the archive'} ${count(done)}.`, () => { void archive(done, !isArchived) })
    return refusal === undefined
  }

  async function remove(rows: Rows) {
    leave(rows, 'current')
    leave(rows, 'archived')
    const { done, refusal } = await forAll(rows, ({ id }) => deleteBacktest(id))
    await finish(refusal, false)
    if (done.length > 0) notify.undoable(`Deleted ${count(done)}.`, () => { void restore(done) })
    return refusal === undefined
  }

  async function restore(rows: Rows) {
    leave(rows, 'deleted')
    const { done, refusal } = await forAll(rows, ({ id }) => restoreBacktest(id))
    await finish(refusal, true)
    if (refusal === undefined) notify.success(`Brought back ${count(done)}.`)
    return refusal === undefined
  }

  /** What left a list is gone from it already; where something comes back is for the server to say. */
  async function finish(refusal: unknown, comesBack: boolean) {
    if (refusal !== undefined) notify.error(`Not all is done. ${reasonOf(refusal)}`)
    if (refusal !== undefined || comesBack) {
      shortenLists()
      await queryClient.invalidateQueries({ queryKey: backtestListsKey })
    }
    void queryClient.invalidateQueries({ queryKey: tagsQuery.queryKey })
  }

  return { working, star, tag, archive, remove, restore }
}

function show(rows: Rows, change: (row: BacktestRow) => BacktestRow) {
  const now = new Map(rows.map((row) => [row.id, change(row)]))
  changeRows(new Set(now.keys()), (row) => {
    const { tags, is_starred } = now.get(row.id) ?? row
    return { ...row, tags, is_starred }
  })
}

function leave(rows: Rows, from: BacktestFilter['from']) {
  changeRows(new Set(rows.map(({ id }) => id)), (row, filter) => (filter.from === from ? null : row))
}

function after(row: BacktestRow, { tags, is_starred: star }: BacktestEdit): BacktestRow {
  return { ...row, tags: tags ?? row.tags, is_starred: star ?? row.is_starred }
}

export function tagsAfter(row: BacktestRow, { add, remove }: { add: readonly string[], remove: readonly string[] }) {
  return [...new Set([...row.tags.filter((one) => !remove.includes(one)), ...add])]
}

export function count(rows: { length: number }) {
  return rows.length === 1 ? '1 backtest' : `${rows.length} backtests`
}

function reasonOf(error: unknown) {
  return error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'
}
