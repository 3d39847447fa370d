/** Tells of a test that failed what its pages showed then: the machine that saw it may be out of reach. */
import { afterEach } from 'vitest'
import { openPages } from './browser'

declare module 'vitest' {
  interface TaskMeta { pages?: string[] }
}

const words = 700

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return
  task.meta.pages = await Promise.all([...openPages].map(async (page) => {
    const shown = await page.evaluate(() => (document.querySelector('[role=dialog], main') ?? document.body).textContent).catch(String)
    return `${page.url()} showed: ${(shown ?? '').replaceAll(/\s+/g, ' ').slice(0, words)}`
  }))
})
