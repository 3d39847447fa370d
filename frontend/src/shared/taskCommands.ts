/** What several pages do with tasks and services, from a terminal. */
import { taskAddress } from '@/api/tasks'
import type { Commands } from './components/CopyAs.vue'
import { curl } from './shell'
import { shortId } from './taskNames'

export function taskCommands(id: string, isActive: boolean): Commands {
  const what = isActive ? 'cancel' : 'retry'
  return { cli: `tidemark tasks ${what} ${shortId(id)}`, curl: curl('POST', `${taskAddress(id)}/${what}`) }
}

/** Anybody may ask. */
export function readinessCommands(): Commands {
  return { curl: `curl ${window.location.origin}/readyz` }
}
