// Takes the pictures of the docs from a running Tidemark: TIDEMARK_URL=http://127.0.0.1:8000 npm run pictures
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const folder = fileURLToPath(new URL('../../docs/pictures/', import.meta.url))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({
  baseURL: process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000', viewport: { width: 1280, height: 760 }, colorScheme: 'dark',
})
await page.goto('/')
await page.getByRole('button', { name: 'Try the demo' }).click()
await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
await page.getByText('All are applied.').waitFor()
await page.screenshot({ path: `${folder}dashboard.png` })
await browser.close()
