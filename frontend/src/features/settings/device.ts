/** A user agent in words that its owner recognises. */

const browsers: [RegExp, string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/HeadlessChrome\//, 'Chromium'],
  [/Chrome\//, 'Chrome'],
  [/Safari\//, 'Safari'],
  [/^curl\//, 'curl'],
  [/^python-httpx|^python-requests|^aiohttp/i, 'Python'],
  [/^node|^undici/i, 'Node.js'],
  [/^tidemark\//, 'Command line'],
]
const systems: [RegExp, string][] = [
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
]

export function deviceOf(userAgent: string | null): { name: string, isPhone: boolean } {
  const agent = userAgent ?? ''
  const browser = first(browsers, agent)
  const system = first(systems, agent)
  const known = [browser, system].filter((name) => name !== undefined).join(' on ')
  return { name: known || 'Unknown device', isPhone: /iPhone|Android.*Mobile/.test(agent) }
}

function first(names: [RegExp, string][], agent: string) {
  return names.find(([pattern]) => pattern.test(agent))?.[1]
}
