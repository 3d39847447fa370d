/** The same from a shell. It takes the access token of a session: no personal token reaches keys. None carries a key. */
import { auditPath, keyPath, keysPath, type KeyProvider } from '@/api/exchangeKeys'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'
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

/** The parts are read from the environment, so that they stand in no history of a shell. */
export function addCommands(provider: KeyProvider, label: string): Commands {
  const passphrase = formOf(provider)?.passphrase === undefined ? '' : ', passphrase: env.PASSPHRASE'
  const named = [['provider', provider], ['label', label]].map(([name, value]) => `--arg ${name} ${inShell(value ?? '')}`).join(' ')
  const body = `jq -n ${named} '{provider: $provider, label: $label, key: env.KEY, secret: env.SECRET${passphrase}}'`
  const sent = `curl -H "Authorization: Bearer $TIDEMARK_TOKEN" -H 'Content-Type: application/json' -d @- ${window.location.origin}${keysPath}`
  return { curl: `${session}${body} |\n  ${sent}` }
}

const inShell = (text: string) => `'${text.replaceAll('\'', String.raw`'\''`)}'`
