/** Whether a page knows that what it lists is empty. */
import { render } from '@testing-library/vue'
import { expect, it } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import { beTheEmptyPage, useEmptyPage } from './emptyPage'

it('tells a page while what it lists is empty', async () => {
  const isListed = ref(false)
  const Empty = defineComponent(() => { beTheEmptyPage(); return () => 'Nothing yet' })
  const { container } = render(defineComponent(() => {
    const isEmpty = useEmptyPage()
    return () => [h('p', isEmpty.value ? 'secondary' : 'primary'), isListed.value ? null : h(Empty)]
  }))
  await nextTick()
  expect(container.querySelector('p')?.textContent).toBe('secondary')
  isListed.value = true
  await nextTick()
  await nextTick()
  expect(container.querySelector('p')?.textContent).toBe('primary')
})
