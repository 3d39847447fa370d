/** One request over HTTP, without an opinion on what its answer means. XMLHttpRequest, because fetch does not tell how much was sent. */

export interface Asked {
  method: string
  path: string
  query?: Record<string, string | number | boolean | undefined>
  headers: Record<string, string>
  body?: unknown
  signal?: AbortSignal
  /** 0 waits for as long as it takes. */
  timeoutMilliseconds: number
  asFile?: boolean
  sent?: (bytes: number) => void
  received?: (bytes: number) => void
}

export interface Answer {
  status: number
  /** Read from JSON where it is JSON, a Blob where a file was asked for, else text; null when nothing came. */
  data: unknown
  header: (name: string) => string | undefined
}

/** Nobody answered. */
export class NoAnswer extends Error {
  readonly timedOut: boolean

  constructor(timedOut: boolean) {
    super(timedOut ? 'No answer in time' : 'No answer')
    this.name = 'NoAnswer'
    this.timedOut = timedOut
  }
}

/** Rejects with NoAnswer, or with an AbortError when the signal says so. */
export function exchange(asked: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { signal, sent, received } = asked
    const cancelled = () => new DOMException('The request was cancelled', 'AbortError')
    if (signal?.aborted) {
      reject(cancelled())
      return
    }
    const http = new XMLHttpRequest()
    const cancel = () => {
      reject(cancelled())
      http.abort()
    }
    http.open(asked.method, address(asked.path, asked.query))
    http.timeout = asked.timeoutMilliseconds
    if (asked.asFile) http.responseType = 'blob'
    const { headers, body } = packed(asked)
    for (const [name, value] of Object.entries(headers)) http.setRequestHeader(name, value)
    if (sent) http.upload.onprogress = ({ loaded }) => { sent(loaded) }
    if (received) http.onprogress = ({ loaded }) => { received(loaded) }
    http.onload = () => { resolve(answerOf(http)) }
    http.onerror = () => { reject(new NoAnswer(false)) }
    http.ontimeout = () => { reject(new NoAnswer(true)) }
    http.onloadend = () => { signal?.removeEventListener('abort', cancel) }
    signal?.addEventListener('abort', cancel)
    http.send(body)
  })
}

function address(path: string, query: Asked['query'] = {}) {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`
}

/** A file goes as it is, everything else as JSON. */
function packed({ headers, body }: Asked): { headers: Record<string, string>, body: Blob | string | null } {
  const accepting = { Accept: 'application/json, text/plain, */*', ...headers }
  if (body === undefined || body === null) return { headers: accepting, body: null }
  if (body instanceof Blob) return { headers: { 'Content-Type': body.type || 'application/octet-stream', ...accepting }, body }
  return { headers: { 'Content-Type': 'application/json', ...accepting }, body: JSON.stringify(body) }
}

function answerOf(http: XMLHttpRequest): Answer {
  return {
    status: http.status,
    data: http.responseType === 'blob' ? http.response : read(http.responseText),
    header: (name) => http.getResponseHeader(name) ?? undefined,
  }
}

function read(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
