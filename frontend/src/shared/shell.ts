/** Commands for a shell: they read `$TIDEMARK_TOKEN`, so none carries a secret. */

export function curl(method: 'GET' | 'POST', path: string, body?: object) {
  const sent = body === undefined ? '' : ` -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`
  return `curl ${method === 'GET' ? '' : `-X ${method} `}-H "Authorization: Bearer $TIDEMARK_TOKEN"${sent} ${quoted(`${window.location.origin}${path}`)}`
}

/** As a shell reads it back, whatever is in it. */
export function quoted(text: string) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', String.raw`'\''`)}'`
}
