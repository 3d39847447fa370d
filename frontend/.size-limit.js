/** How heavy the web app may be, compressed. The shell is what stands between a first visit and a page that can be used. */
import { readFileSync } from 'node:fs'

const read = (file) => readFileSync(new URL(`./dist/${file}`, import.meta.url), 'utf8')

// What the page itself names brings the frame, the sign-in and the dashboard (chunks.ts).
const shell = [...read('index.html').matchAll(/"\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, file]) => `dist/${file}`)
// The page of all components is a workshop, not a place that users visit.
const workshop = JSON.parse(read('.vite/manifest.json'))['src/features/dev/DevUiPage.vue']

export default [
  { name: 'Shell up to the sign-in and the dashboard, JavaScript', path: shell.filter((file) => file.endsWith('.js')), limit: '120 KiB', gzip: true },
  { name: 'Shell, styles', path: shell.filter((file) => file.endsWith('.css')), limit: '14 KiB', gzip: true },
  {
    name: 'Everything, JavaScript and styles',
    path: ['dist/assets/*.js', 'dist/assets/*.css', ...[workshop.file, ...workshop.css ?? []].map((file) => `!dist/${file}`)],
    limit: '450 KiB',
    gzip: true,
  },
]
