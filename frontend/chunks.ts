/**
 * Which code travels together. A small file costs more by its head and its own dictionary than it holds, so there are few:
 * what the first page needs, what several features share, the charts, and one or two for each feature.
 */

interface Module {
  importers: string[]
  dynamicImporters: string[]
  importedIds: string[]
}

interface Context {
  getModuleInfo: (id: string) => Module | null
}

/** The first pages that people see: what they import is loaded before they can do anything. */
const firstPages = ['main.ts', 'layouts/AppLayout.vue', 'layouts/AuthLayout.vue', 'features/dashboard/DashboardPage.vue', 'features/auth/SignInPage.vue']

const core = /node_modules\/(?:@vue\/|vue\/|vue-router\/|pinia\/|@tanstack\/)/
/** Known only when somebody signs in or comes back: the client of Supabase Auth. */
const session = /@supabase\/|unused-auth:|src\/features\/auth\/authClient\.ts/
/** Of the library that all overlays are made of, what the first pages do without; its index would name them all. */
const laterOverlays = /node_modules\/reka-ui\/dist\/(?:AlertDialog|Dialog|Popover|Tabs)\//
const charts = /node_modules\/(?:lightweight-charts|fancy-canvas)\/|src\/shared\/charts\/(?!index\.ts)/

/** Parts of a feature that are opened on their own, and not with its list. */
const rooms: [RegExp, string][] = [
  [/features\/backtests\/sharing\//, 'shared'],
  [/features\/backtests\/(?:result|compare)\//, 'results'],
  [/features\/models\/(?:page|charts)\//, 'model'],
]

let first: Set<string> | undefined
const areas = new Map<string, Set<string>>()

function isFirst(id: string, context: Context) {
  first ??= reached(firstPages.map((page) => `${sources}${page}`), context)
  return first.has(id) || first.has(plain(id))
}

const sources = `${import.meta.dirname}/src/`
const plain = (id: string) => id.split('?')[0] ?? id

function reached(from: string[], context: Context) {
  const seen = new Set<string>()
  const waiting = [...from]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue
    seen.add(id)
    waiting.push(...context.getModuleInfo(id)?.importedIds ?? [])
  }
  return seen
}

/** The features that need a module, by themselves or through others. */
function areasOf(id: string, context: Context): Set<string> {
  const known = areas.get(id)
  if (known) return known
  const found = new Set<string>()
  areas.set(id, found) // a circle of imports ends here
  const own = ownArea(id)
  if (own !== undefined) found.add(own)
  const module = context.getModuleInfo(id)
  const needing = [...module?.importers ?? [], ...own === undefined ? module?.dynamicImporters ?? [] : []]
  for (const importer of needing) for (const area of areasOf(importer, context)) found.add(area)
  return found
}

function ownArea(id: string) {
  if (!id.startsWith(sources)) return undefined
  const path = id.slice(sources.length)
  return rooms.find(([place]) => place.test(path))?.[1] ?? /^(?:features\/(\w+)|(layouts))\//.exec(path)?.slice(1).find(Boolean)
}

function place(id: string, context: Context) {
  if (core.test(id)) return 'core'
  if (session.test(id)) return 'session'
  if (laterOverlays.test(id)) return 'parts'
  if (isFirst(id, context)) return 'frame'
  const needed = [...areasOf(id, context)].filter((area) => area !== 'dev')
  if (needed.length === 0) return null
  if (charts.test(id)) return 'charts'
  const isOneFeature = features.some((rooms) => needed.every((area) => rooms.includes(area)))
  return needed.length === 1 || isOneFeature ? needed.sort().join('-') : 'parts'
}

const features = [['backtests', 'results', 'shared'], ['models', 'model']]

/** The first of these that wants a module gets it, with what it imports. */
export const chunks = [
  'core', 'session', 'frame', 'parts', 'charts', 'backtests-results-shared', 'backtests-results', 'results-shared', 'model-models', null,
].map((only, at, all) => ({
  priority: all.length - at,
  name: (id: string, context: Context) => {
    const name = place(id, context)
    return only === null || name === only ? name : null
  },
}))
