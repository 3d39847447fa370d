/** The table as it is used: by header, search, filter, keyboard and export. jsdom has no layout, so rows are few. */
import userEvent from '@testing-library/user-event'
import { render, screen, within } from '@testing-library/vue'
import axe from 'axe-core'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { emptyView, type TableColumn } from '../table'
import DataTable from './DataTable.vue'

interface Run { id: string, name: string, profit: string | null }
const columns: TableColumn<Run>[] = [
  { id: 'name', header: 'Name', value: (run) => run.name, fixed: true },
  { id: 'profit', header: 'Profit', value: (run) => run.profit, kind: 'number' },
]
const few: Run[] = [
  { id: '1', name: 'Momentum', profit: '9.5' }, { id: '2', name: 'Breakout', profit: '10' }, { id: '3', name: 'Carry', profit: null },
]
const names = () => screen.getAllByRole('row').slice(1).map((row) => within(row).getAllByRole('cell').at(-2)?.textContent.trim())

function show(props: Record<string, unknown> = {}) {
  const table = DataTable as unknown as new () => { $props: Record<string, unknown> }
  return render(table, { props: { what: 'runs', columns, rows: few, rowKey: (run: Run) => run.id, ...props } })
}

beforeEach(() => {
  // Without layout the virtual window would be empty.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
})

describe('DataTable', () => {
  it('sorts by a header and says which way', async () => {
    show()
    await userEvent.click(screen.getByRole('button', { name: 'Profit' }))
    expect(names()).toEqual(['Breakout', 'Momentum', 'Carry'])
    expect(screen.getByRole('columnheader', { name: 'Profit' }).getAttribute('aria-sort')).toBe('descending')
    await userEvent.click(screen.getByRole('button', { name: 'Profit' }))
    expect(names()).toEqual(['Momentum', 'Breakout', 'Carry'])
  })

  it('searches, says how many are left, and clears from the empty face', async () => {
    show()
    await userEvent.type(screen.getByLabelText('Search runs'), 'BREAK')
    expect(names()).toEqual(['Breakout'])
    expect(screen.getByText('1 of 3 runs')).toBeTruthy()
    await userEvent.type(screen.getByLabelText('Search runs'), 'xyz')
    await userEvent.click(screen.getByRole('button', { name: 'Clear filters' }))
    expect(names()).toHaveLength(3)
  })

  it('shows the view it is given, so that an address can hold it', () => {
    show({ view: { ...emptyView(), sort: { id: 'profit', desc: false }, filters: { profit: { max: '9.9' } } } })
    expect(names()).toEqual(['Momentum'])
  })

  it('moves by j and k, selects by x and opens by Enter', async () => {
    const user = userEvent.setup()
    const { emitted } = show({ selectable: true, openable: true })
    screen.getByRole('grid', { name: 'runs' }).focus()
    await user.keyboard('jjkx')
    expect(emitted()['update:selected']).toEqual([[['1']]])
    await user.keyboard('{ArrowDown}{Enter}')
    expect(emitted().open).toEqual([[few[1]]])
    const active = screen.getByRole('grid').getAttribute('aria-activedescendant')
    expect(document.getElementById(active ?? '')?.textContent).toContain('Breakout')
  })

  it('leaves letters alone when single-key shortcuts are off', async () => {
    const user = userEvent.setup()
    const { emitted } = show({ selectable: true, singleKeys: false })
    screen.getByRole('grid').focus()
    await user.keyboard('jx')
    expect(emitted()['update:selected']).toBeUndefined()
  })

  it('exports every filtered row in the order shown', async () => {
    const files: Blob[] = []
    URL.createObjectURL = (blob) => { files.push(blob as Blob); return 'blob:table' }
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined)
    show({ view: { ...emptyView(), sort: { id: 'profit', desc: true }, search: 'o' } })
    await userEvent.click(screen.getByRole('button', { name: 'Export' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: /CSV/ }))
    expect(await files[0]?.text()).toBe('name,profit\r\nBreakout,10\r\nMomentum,9.5\r\n')
  })

  it('loads what is missing before it exports, and writes no file with a part', async () => {
    const files: Blob[] = []
    URL.createObjectURL = (blob) => { files.push(blob as Blob); return 'blob:table' }
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined)
    const loadAll = vi.fn().mockRejectedValueOnce(new Error('no answer')).mockImplementation(() => view.rerender({ rows: few }))
    const view = show({ rows: few.slice(0, 1), loadAll })
    const exportJson = async () => {
      await userEvent.click(screen.getByRole('button', { name: 'Export' }))
      await userEvent.click(await screen.findByRole('menuitem', { name: /JSON/ }))
    }
    await exportJson()
    expect(files).toEqual([])
    await exportJson()
    await expect.poll(() => files.length).toBe(1)
    expect(JSON.parse(await files[0]?.text() ?? '')).toHaveLength(3)
  })

  it('takes j and k up from the page, but not from a field or while they are switched off', async () => {
    const user = userEvent.setup()
    const { rerender } = show()
    const grid = screen.getByRole('grid')
    const search = screen.getByLabelText('Search runs')
    search.focus()
    await user.keyboard('j')
    expect(document.activeElement).toBe(search)
    search.blur()
    await user.clear(search)
    search.blur()
    await rerender({ singleKeys: false })
    await user.keyboard('j')
    expect(document.activeElement).toBe(document.body)
    await rerender({ singleKeys: true })
    await user.keyboard('j')
    expect(document.activeElement).toBe(grid)
    expect(grid.getAttribute('aria-activedescendant')).toMatch(/-row-0$/)
    await user.keyboard('j')
    expect(grid.getAttribute('aria-activedescendant')).toMatch(/-row-1$/)
  })

  it('lets a page give letters a meaning for the row that the keyboard stands on', async () => {
    const user = userEvent.setup()
    const cancel = vi.fn()
    const { rerender } = show({ letters: { c: cancel } })
    screen.getByRole('grid').focus()
    await user.keyboard('c')
    expect(cancel).not.toHaveBeenCalled() // on no row yet
    await user.keyboard('jjc')
    expect(cancel.mock.calls).toEqual([[few[1]]])
    await rerender({ singleKeys: false })
    await user.keyboard('c')
    expect(cancel).toHaveBeenCalledOnce()
  })

  it('hides a column on request, but never the fixed one', async () => {
    show()
    await userEvent.click(screen.getByRole('button', { name: 'Columns' }))
    const profit = await screen.findByRole('checkbox', { name: 'Profit' })
    expect(screen.queryByRole('checkbox', { name: 'Name' })).toBeNull()
    await userEvent.click(profit)
    expect(screen.queryByRole('columnheader', { name: 'Profit' })).toBeNull()
  })

  it('holds fewer than 60 rows in the page at 100,000', () => {
    const rows = Array.from({ length: 100_000 }, (_, index) => ({ id: String(index), name: `Run ${index}`, profit: String(index) }))
    show({ rows })
    expect(document.querySelectorAll('tbody tr').length).toBeLessThan(60)
    expect(screen.getByRole('grid').getAttribute('aria-rowcount')).toBe('100001')
    expect(screen.getByText('100,000 runs')).toBeTruthy()
  })

  it('has no axe findings', async () => {
    const { container } = show({ selectable: true, openable: true })
    const { violations } = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } })
    expect(violations.map((violation) => violation.id)).toEqual([])
  })
})
