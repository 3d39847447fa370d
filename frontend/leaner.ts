/** What libraries and compilers write that no running page reads, taken out of the build. */
import type { Plugin } from 'vite'

/**
 * Tailwind registers its custom properties anew in the styles of every component.
 * The base registers them for the whole page; a property that it lacks ends the build.
 */
export function oneRegistration(): Plugin {
  const inBase = new Set<string>()
  const elsewhere = new Set<string>()
  return {
    name: 'tidemark:one-registration',
    apply: 'build',
    enforce: 'pre',
    transform(code, id) {
      if (!/\.css(?:\?|$)|[?&]type=style/.test(id) || !code.includes('@property')) return null
      const isBase = id.endsWith('styles/base.css')
      for (const [, property = ''] of code.matchAll(/@property (--[\w-]+)/g)) (isBase ? inBase : elsewhere).add(property)
      return isBase ? null : { code: withoutLayer(code).replaceAll(/@property --[\w-]+\s*\{[^}]*\}/g, ''), map: null }
    },
    buildEnd() {
      const missing = [...elsewhere].filter((property) => !inBase.has(property))
      if (missing.length > 0) this.error(`Register in src/styles/base.css what styles of components use: ${missing.join(', ')}`)
    },
  }
}

/** The same properties once more, for browsers that cannot register any. */
function withoutLayer(code: string) {
  const start = code.search(/@layer properties\s*\{/)
  if (start === -1) return code
  let end = code.indexOf('{', start) + 1
  for (let depth = 1; depth > 0 && end < code.length; end += 1) depth += { '{': 1, '}': -1 }[code.charAt(end)] ?? 0
  return code.slice(0, start) + code.slice(end)
}

/** Names for developers' tools, React's keys in icons, and what is false anyway. */
export function withoutLabels(): Plugin {
  return {
    name: 'tidemark:without-labels',
    apply: 'build',
    enforce: 'post',
    transform(code, id) {
      if (id.includes('/@lucide/')) return { code: code.replaceAll(/,\s*key: "\w+"/g, ''), map: null }
      const isOverlay = id.includes('/reka-ui/')
      if (!isOverlay && !/\.vue(?:\?|$)/.test(id)) return null
      // A component that holds itself finds itself by this name.
      const unnamed = code.includes('resolveComponent(') ? code : code.replace(/\b__name: ?["'][\w-]+["'],/, '')
      return { code: isOverlay ? unnamed.replaceAll(/,\s*required: false\b/g, '') : unnamed, map: null }
    },
  }
}

const passkeys = [
  'createCredential', 'getCredential', 'browserSupportsWebAuthn', 'webAuthnAbortService', 'WebAuthnApi',
  'deserializeCredentialCreationOptions', 'deserializeCredentialRequestOptions',
  'serializeCredentialCreationResponse', 'serializeCredentialRequestResponse',
]
const wallets = ['createSiweMessage', 'fromHex', 'getAddress', 'toHex']
const absent = 'class Absent {}\n'

/** Parts of Supabase Auth that Tidemark does not offer: passkeys and wallets. Its admin API is what signs out. */
const parts = new Map([
  ['./lib/webauthn', `${absent}export { ${passkeys.map((name) => `Absent as ${name}`).join(', ')} }`],
  ['./lib/web3/ethereum', `${absent}export { ${wallets.map((name) => `Absent as ${name}`).join(', ')} }`],
])

export function withoutUnusedAuth(): Plugin {
  const mark = '\0unused-auth:'
  return {
    name: 'tidemark:without-unused-auth',
    apply: 'build',
    enforce: 'pre',
    resolveId(source, importer) {
      return importer?.includes('/@supabase/auth-js/') && parts.has(source) ? mark + source : null
    },
    load(id) {
      return id.startsWith(mark) ? parts.get(id.slice(mark.length)) : null
    },
  }
}
