/** End-to-end tests: whole journeys in a real Chromium against a running Tidemark (`TIDEMARK_URL`). */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const installed = createRequire(import.meta.url) // the tests live outside of node_modules' reach

export default defineConfig({
  resolve: {
    alias: Object.fromEntries(['playwright-core', '@axe-core/playwright'].map((name) => [name, installed.resolve(name)])),
  },
  test: {
    root: fileURLToPath(new URL('../tests/e2e', import.meta.url)),
    include: ['**/*.test.ts'],
    environment: 'node',
    fileParallelism: false, // two cores: one browser at a time
    testTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } }, // a machine that is busy with something else is slow, not wrong
    hookTimeout: 60_000,
    globalSetup: ['./require-instance.ts'],
  },
})
