// axe over all pages, both themes, wide and narrow: what it finds is named, and counted.
import { AxeBuilder } from '@axe-core/playwright'
import { finishedRun, launch, pause, say, startDemo, visit } from './browser.mjs'

const browser = await launch()
const page = await visit(browser)
const run = await finishedRun(await startDemo(page))
const tabs = ['overview', 'trades', 'chart', 'costs', 'risk', 'periods', 'config', 'reproduce'].map((tab) => `/backtests/${run}?tab=${tab}`)
const addresses = ['/', '/backtests', '/backtests/new', ...tabs, '/strategies', '/data', '/predictions', '/status', '/settings/profile', '/dev/ui']
const aboutColours = ['color-contrast', 'link-in-text-block']
let found = 0
let looks = 0
for (const width of [1440, 360]) {
  await page.setViewportSize({ width, height: 900 })
  for (const address of addresses) {
    await page.goto(address)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await pause(1_500) // streams keep it from ever being idle
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      const axe = new AxeBuilder({ page }).setLegacyMode(true)
      // The themes differ in colours alone.
      const { violations } = await (colorScheme === 'light' ? axe : axe.withRules(aboutColours)).analyze()
      for (const { id, nodes } of violations) process.stderr.write(`${address} ${colorScheme} ${width}: ${id}, ${nodes.map(({ target }) => target).join('; ')}\n`)
      found += violations.length
      looks += 1
    }
  }
}
say(`axe violations in ${looks} looks at ${addresses.length} pages`, found, '', { most: 0 })
await browser.close()
