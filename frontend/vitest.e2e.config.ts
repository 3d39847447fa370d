/** End-to-end tests: whole journeys in a real Chromium against a running Tidemark (`TIDEMARK_URL`). */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const installed = createRequire(import.meta.url) // the tests live outside of node_modules' reach

export default defineConfig({
  resolve: {
    alias: Object.fromEntries(['playwright-core', 'axe-core'].map((name) => [name, installed.resolve(name)])),
  },
  test: {
    root: fileURLToPath(new URL('../tests/e2e', import.meta.url)),
    include: ['**/*.test.ts'],
    environment: 'node',
    fileParallelism: false, // two cores: one browser at a time
    isolate: false, // and the same one for all files
    // What waits says itself what for, and for how long: browser.ts has the patience. These end what never ends.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 30_000 } }, // a machine that is busy with something else is slow, not wrong
    globalSetup: ['./require-instance.ts'],
    setupFiles: ['./telling.ts'],
    sequence: { hooks: 'list' }, // before the pages of a test that failed are closed, they are looked at
  },
})
