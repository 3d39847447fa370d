/** The same from a terminal: what the status centre shows and does, as commands that read `$TIDEMARK_TOKEN`. */
import { taskAddress, tasksAddress, type TaskFilter } from '@/api/tasks'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'
import { shortId } from '@/shared/taskNames'

export function listCommands(filter: TaskFilter): Commands {
  const options = [...filter.states.map((state) => ` --state ${state}`), ...filter.kinds.map((kind) => ` --kind ${kind}`)]
  return { cli: `tidemark tasks list${options.join('')}`, curl: curl('GET', tasksAddress(filter)) }
}

export function showCommands(id: string): Commands {
  return { cli: `tidemark tasks show ${shortId(id)}`, curl: curl('GET', taskAddress(id)) }
}

export function resourcesCommands(): Commands {
  return { curl: curl('GET', '/api/system/resources') }
}

export function healthCommands(): Commands {
  return { curl: curl('GET', '/api/system/health') }
}
