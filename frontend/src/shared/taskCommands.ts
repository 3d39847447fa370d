/** What the page of an unfinished run does, from a terminal. */
import { taskAddress } from '@/api/tasks'
import type { Commands } from './components/CopyAs.vue'
import { curl } from './shell'
import { shortId } from './taskNames'

export function taskCommands(id: string, isActive: boolean): Commands {
  const what = isActive ? 'cancel' : 'retry'
  return { cli: `tidemark tasks ${what} ${shortId(id)}`, curl: curl('POST', `${taskAddress(id)}/${what}`) }
}
