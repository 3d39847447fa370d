/** What the page of an unfinished run does, from a terminal. */
import { taskAddress } from '@/api/tasks'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'
import { shortId } from '@/shared/taskNames'

export function taskCommands(id: string, isActive: boolean): Commands {
  const what = isActive ? 'cancel' : 'retry'
  return { cli: `tidemark tasks ${what} ${shortId(id)}`, curl: curl('POST', `${taskAddress(id)}/${what}`) }
}
