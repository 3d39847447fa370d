import { describe, expect, it } from 'vitest'
import { defineComponent, h } from 'vue'
import { renderPage } from '@/testing/render'
import type { TableColumn } from '../table'
import { queryOf, useTableQuery, viewIn } from './useTableQuery'

interface Run { id: string }
const columns: TableColumn<Run>[] = [
  { id: 'state', header: 'State', value: () => '', kind: 'choice' },
  { id: 'sharpe', header: 'Sharpe', value: () => 1, kind: 'number' },
  { id: 'created_at', header: 'Created', value: () => '', kind: 'time' },
]

describe('the view of a table in the address', () => {
  it.each([
    [{}, {}],
    [{ search: 'btc & eth' }, { q: 'btc & eth' }],
    [{ sort: { id: 'sharpe', desc: true } }, { sort: '-sharpe' }],
    [{ sort: { id: 'state', desc: false } }, { sort: 'state' }],
    [{ filters: { state: 'failed', sharpe: { min: '1.5' } } }, { state: 'failed', sharpe: '1.5..' }],
    [{ filters: { sharpe: { min: '-1', max: '2' }, created_at: { max: '2026-11-20' } } }, { sharpe: '-1..2', created_at: '..2026-11-20' }],
  ])('%j goes there and comes back', (change, query) => {
    const view = { search: '', sort: null, filters: {}, ...change }
    expect(queryOf(view)).toEqual(query)
    expect(viewIn(query, columns)).toEqual(view)
  })

  it('takes what is no column for nothing', () => {
    expect(viewIn({ sort: '-nothing', other: 'x', q: null, state: '' }, columns)).toEqual({ search: '', sort: null, filters: {} })
  })

  it('leaves the rest of the address alone, and typing fills no history', async () => {
    let view = {} as ReturnType<typeof useTableQuery<Run>>
    const Page = defineComponent({
      setup() {
        view = useTableQuery(columns)
        return () => h('p')
      },
    })
    const { router } = await renderPage(Page, { at: '/status?task=7&state=failed' })
    view.value = { ...view.value, filters: {}, sort: { id: 'sharpe', desc: true } }
    await expect.poll(() => router.currentRoute.value.query).toEqual({ task: '7', sort: '-sharpe' })
    view.value = { ...view.value, search: 'b' }
    await expect.poll(() => router.currentRoute.value.query.q).toBe('b')
    view.value = { ...view.value, search: 'bt', columns: { sharpe: false } }
    await expect.poll(() => router.currentRoute.value.query.q).toBe('bt')
    expect(view.value.columns).toEqual({ sharpe: false })
    router.back()
    await expect.poll(() => router.currentRoute.value.query).toEqual({ task: '7', state: 'failed' })
  })
})
