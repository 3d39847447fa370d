import { render } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import { useRowWindow } from './useRowWindow'

/** A table of 1000 rows, 20 px each, seen through 200 px of which its head covers 30. */
function longTable(count = ref(1000)) {
  const scroller = document.createElement('div')
  scroller.append(document.createElement('table'))
  const head = (scroller.firstChild as HTMLTableElement).createTHead()
  const probe = document.createElement('span')
  Object.defineProperty(scroller, 'clientHeight', { value: 200 })
  Object.defineProperty(head, 'offsetHeight', { value: 30 })
  Object.defineProperty(probe, 'offsetHeight', { value: 20 })
  let rows: ReturnType<typeof useRowWindow> | undefined
  render(defineComponent({ setup: () => {
    rows = useRowWindow({ scroller: ref(scroller), probe: ref(probe), count: () => count.value })
    return () => h('p')
  } }))
  if (rows === undefined) throw new Error('Nothing was rendered')
  return { scroller, rows }
}

describe('the rows near the eye', () => {
  it('are those that can be seen, and a few around them', async () => {
    const { scroller, rows } = longTable()
    expect([rows.indexes.value[0], rows.indexes.value.at(-1)]).toEqual([0, 16])
    scroller.scrollTop = 10_000
    scroller.dispatchEvent(new Event('scroll'))
    await nextTick()
    expect([rows.indexes.value[0], rows.indexes.value.at(-1)]).toEqual([494, 516])
    expect(rows.spaceAbove.value + rows.indexes.value.length * 20 + rows.spaceBelow.value).toBe(20_000)
  })

  it('are the last ones when fewer are left than were scrolled past', () => {
    const count = ref(1000)
    const { scroller, rows } = longTable(count)
    scroller.scrollTop = 10_000
    scroller.dispatchEvent(new Event('scroll'))
    count.value = 12
    expect(rows.indexes.value).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    count.value = 0
    expect(rows.indexes.value).toEqual([])
    expect(rows.spaceBelow.value).toBe(0)
  })

  it('come into sight by the shortest way, and not behind the head', () => {
    const { scroller, rows } = longTable()
    rows.reveal(3)
    expect(scroller.scrollTop).toBe(0)
    rows.reveal(50)
    expect(scroller.scrollTop).toBe(30 + 51 * 20 - 200)
    rows.reveal(49)
    expect(scroller.scrollTop).toBe(30 + 51 * 20 - 200)
    rows.reveal(10)
    expect(scroller.scrollTop).toBe(200)
    expect(rows.indexes.value).toContain(10)
  })
})
