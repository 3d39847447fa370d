/** The same from a shell. It takes the access token of a session: no personal token reaches keys. None carries a key. */
import { auditPath, keyPath, keysPath, type KeyProvider } from '@/api/exchangeKeys'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { literal } from '@/shared/barsCommands'
import { curl, quoted } from '@/shared/shell'
import { formOf } from './keyProviders'

const session = '# TIDEMARK_TOKEN: the access token of a session; personal access tokens cannot reach keys\n'

export function listCommands(): Commands {
  return { curl: session + curl('GET', keysPath) }
}

export function auditCommands(): Commands {
  return { curl: session + curl('GET', `${auditPath}?limit=200`) }
}

export function testCommand(id: string) {
  return session + curl('POST', `${keyPath(id)}/test`)
}

export function deleteCommands(id: string): Commands {
  return { curl: session + curl('DELETE', keyPath(id)) }
}

/** The parts are read from the environment, so that they stand in no history of a shell. */
export function addCommands(provider: KeyProvider, label: string): Commands {
  const parts = ['key', 'secret', ...(formOf(provider)?.passphrase === undefined ? [] : ['passphrase'])]
  const secrets = parts.map((name) => `${literal(name)}: env[${literal(name.toUpperCase())}]`)
  const body = `import json, os; env = os.environ; print(json.dumps({"provider": ${literal(provider)}, "label": ${literal(label)}, ${secrets.join(', ')}}))`
  const sent = `curl -H "Authorization: Bearer $TIDEMARK_TOKEN" -H 'Content-Type: application/json' -d @- ${window.location.origin}${keysPath}`
  return { curl: `${session}python3 -c ${quoted(body)} |\n  ${sent}` }
}
