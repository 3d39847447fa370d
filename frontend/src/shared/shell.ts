/** Commands for a shell: they read `$TIDEMARK_TOKEN`, so none carries a secret. */

interface Sent {
  body?: object
  /** Whatever version is there: a command is pasted later than it was copied. */
  anyVersion?: boolean
  /** The answer is a file, under the name that the server gives it. */
  file?: boolean
}

export function curl(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, { body, anyVersion = false, file = false }: Sent = {}) {
  return [
    'curl', ...(method === 'GET' ? [] : [`-X ${method}`]), ...(file ? ['-OJ'] : []), '-H "Authorization: Bearer $TIDEMARK_TOKEN"',
    ...(anyVersion ? ['-H \'If-Match: *\''] : []),
    ...(body === undefined ? [] : [`-H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`]),
    quoted(`${window.location.origin}${path}`),
  ].join(' ')
}

/** As a shell reads it back, whatever is in it. */
export function quoted(text: string) {
  return /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(text) ? text : `'${text.replaceAll('\'', String.raw`'\''`)}'`
}

/** A file of JSON in the folder where the shell is. Not by `echo`: some shells read backslashes in what it is given. */
export function fileOf(document: unknown, name: string) {
  return `printf '%s\\n' ${quoted(JSON.stringify(document))} > ${name}`
}
