/** Access tokens and links from a terminal where one is signed in: no token makes or ends another. */
import { sharePath } from '@/api/shares'
import type { TokenWanted } from '@/api/tokens'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'
import { shortId } from '@/shared/taskNames'

/** The token itself is printed once, and nothing else beside it. */
export function createTokenCommands({ name, scopes, expires_in_days: days }: TokenWanted): Commands {
  return { cli: ['tidemark tokens create', ...scopes.map((scope) => `--scope ${scope}`), `--days ${days}`, `-- ${quoted(name)}`].join(' ') }
}

export function revokeTokenCommands(id: string): Commands {
  return { cli: `tidemark tokens revoke ${shortId(id)}` }
}

export function revokeShareCommands(id: string): Commands {
  return { cli: `tidemark shares revoke ${shortId(id)}`, curl: curl('DELETE', sharePath(id)) }
}
