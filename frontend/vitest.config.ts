/** Unit tests: components and composables in jsdom, beside what they test. */
import { defineConfig, mergeConfig } from 'vitest/config'
import base from './vite.config.ts'

export default mergeConfig(base, defineConfig({
  server: { fs: { allow: ['..'] } }, // words and defaults are compared with those of the backend
  test: {
    // A machine that is busy with something else is slow, not wrong.
    testTimeout: 30_000,
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['./src/test-setup.ts'],
    css: { include: /tokens\.css/ }, // its contrast is tested
    restoreMocks: true,
    maxWorkers: 2,
  },
}))
