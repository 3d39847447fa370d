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

const sources = `${import.meta.dirname}/src/`

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
const joined: Readonly<Record<string, string>> = { 'backtests-results-shared': 'backtests-results', 'results-shared': 'backtests-results' }
const families = [['backtests', 'results', 'shared'], ['models', 'model']]

/** The first of these that wants a module gets it, with what it imports: so each stands behind those that it needs. */
const order = [
  'core', 'session', 'frame', 'parts', 'charts', 'backtests-results', 'model-models',
]

const places = new Map<string, string | null>()
let first: Set<string> | undefined

export const chunks = [...order, null].map((only, at) => ({
  priority: order.length - at,
  name: (id: string, context: Context) => {
    const place = places.has(id) ? places.get(id) ?? null : placeOf(id, context)
    places.set(id, place)
    return only === null || place === only ? place : null
  },
}))

function placeOf(id: string, context: Context) {
  if (core.test(id)) return 'core'
  if (session.test(id)) return 'session'
  if (laterOverlays.test(id)) return 'parts'
  first ??= reached(firstPages.map((page) => `${sources}${page}`), (from) => context.getModuleInfo(from)?.importedIds ?? [])
  if (first.has(id)) return 'frame'
  const needed = areasOf(id, context)
  if (needed.length === 0) return null
  if (charts.test(id)) return 'charts'
  const isOneFeature = families.some((family) => needed.every((area) => family.includes(area)))
  const place = needed.length === 1 || isOneFeature ? needed.join('-') : 'parts'
  // Small ones compress better within another that is there when they are.
  return joined[place] ?? place
}

/** The features that need a module, by themselves or through others. The workshop takes what is there. */
function areasOf(id: string, context: Context) {
  const needing = reached([id], (from) => {
    const module = context.getModuleInfo(from)
    return [...module?.importers ?? [], ...ownArea(from) === undefined ? module?.dynamicImporters ?? [] : []]
  })
  const areas = new Set([...needing].flatMap((from) => ownArea(from) ?? []).filter((area) => area !== 'dev'))
  return [...areas].sort()
}

function ownArea(id: string) {
  if (!id.startsWith(sources)) return undefined
  const path = id.slice(sources.length)
  return rooms.find(([place]) => place.test(path))?.[1] ?? /^(?:features\/(\w+)|(layouts))\//.exec(path)?.slice(1).find(Boolean)
}

function reached(from: string[], next: (id: string) => string[]) {
  const seen = new Set<string>()
  const waiting = [...from]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue
    seen.add(id)
    waiting.push(...next(id))
  }
  return seen
}
