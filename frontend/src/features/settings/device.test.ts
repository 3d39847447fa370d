import { expect, it } from 'vitest'
import { deviceOf } from './device'

it.each([
  ['tidemark/0.1.0 (Linux)', 'Command line on Linux'],
  ['tidemark/0.1.0 (Macintosh)', 'Command line on macOS'],
  [null, 'Unknown device'],
])('calls %s %s', (userAgent, name) => {
  expect(deviceOf(userAgent)).toEqual({ name, isPhone: false })
})
