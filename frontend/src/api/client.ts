/** The one way to talk to the Tidemark API: typed replies, one ApiError, the bearer of the session. */
import { exchange, NoAnswer, type Answer } from './transport'

export interface FieldProblem {
  pointer: string
  detail: string
}

interface Problem {
  title?: string
  detail?: string
  code?: string
  request_id?: string
  errors?: FieldProblem[]
}

interface ApiErrorFacts {
  status: number
  code: string
  title: string
  detail: string
  requestId?: string
  errors?: FieldProblem[]
  retryAfterSeconds?: number
}

/** Any request that did not succeed: what the server said, or that it did not answer (status 0). */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly requestId?: string
  readonly errors: FieldProblem[]
  readonly retryAfterSeconds?: number

  constructor(facts: ApiErrorFacts) {
    super(facts.detail || facts.title)
    this.name = 'ApiError'
    this.status = facts.status
    this.code = facts.code
    this.title = facts.title
    this.detail = facts.detail
    this.requestId = facts.requestId
    this.errors = facts.errors ?? []
    this.retryAfterSeconds = facts.retryAfterSeconds
  }

  get isUnreachable() { return this.status === 0 }
  get mayPass() { return this.isUnreachable || this.status === 429 || this.status >= 500 }

  /** Cause and remedy in one text; the title is left out where the detail only repeats it. */
  get explanation() {
    return this.detail === '' || this.detail.startsWith(this.title) ? this.detail || this.title : `${this.title}. ${this.detail}`
  }

  /** What the server says about one field, found by the end of its pointer. */
  problemOf(field: string) {
    return this.errors.find(({ pointer }) => pointer.split('/').at(-1) === field)?.detail
  }
}

export interface Reply<T> {
  data: T
  status: number
  etag?: string
  requestId?: string
}

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>
  body?: unknown
  ifMatch?: string
  idempotencyKey?: string
  signal?: AbortSignal
  anonymous?: boolean
  accept?: (status: number) => boolean
  /** For what takes longer than other requests, because the server asks somebody else. */
  timeoutMilliseconds?: number
  transfer?: Transfer
}

/** A file on its way, which may take its time. */
interface Transfer {
  sent?: (bytes: number) => void
  received?: (bytes: number) => void
  /** The answer is a Blob. */
  asFile?: boolean
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/** Whoever holds the session tells here how to get a token; `renew` asks for a fresh one after a refusal. */
export interface TokenSource {
  token: (options?: { renew: boolean }) => Promise<string | null>
  /** The session is over, and this browser forgets it. */
  drop?: () => Promise<unknown>
}

interface Observer {
  answered: () => void
  unreachable: () => void
}

const patienceMilliseconds = 20_000
let tokens: TokenSource = { token: () => Promise.resolve(null) }
let observer: Observer = { answered: () => undefined, unreachable: () => undefined }

export function takeTokensFrom(source: TokenSource) { tokens = source }
export function reportTo(watcher: Observer) { observer = watcher }

/** For what is not asked with `request`: the stream of events. */
export function bearer(options?: { renew: boolean }) { return tokens.token(options) }

/** For who has just ended the session, or the account. */
export async function dropSession() { await tokens.drop?.() }

/** For a request that starts work: however often it is sent, the work starts once. */
export function newIdempotencyKey() {
  // crypto.randomUUID exists only where the address is https or loopback.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export async function request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<Reply<T>> {
  const token = options.anonymous ? null : await tokens.token()
  let response = await send(method, path, options, token)
  if (token !== null && mayBeOver(response)) {
    const renewed = await tokens.token({ renew: true })
    if (renewed !== null && renewed !== token) response = await send(method, path, options, renewed)
  }
  const accepted = options.accept?.(response.status) ?? (response.status >= 200 && response.status < 300)
  if (!accepted) throw await problemIn(response)
  return { data: response.data as T, status: response.status, etag: response.header('etag'), requestId: response.header('x-request-id') }
}

/** Auth knows whether the session is; one that was suspended ends there. */
function mayBeOver({ status, data }: Answer) {
  return status === 401 || (status === 403 && (data as Problem | null)?.code === 'account_suspended')
}

async function send(method: Method, path: string, options: RequestOptions, token: string | null) {
  const { transfer } = options
  try {
    const response = await exchange({
      method,
      path,
      query: options.query,
      body: options.body,
      signal: options.signal,
      timeoutMilliseconds: transfer ? 0 : options.timeoutMilliseconds ?? patienceMilliseconds,
      ...transfer,
      headers: {
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(options.ifMatch === undefined ? {} : { 'If-Match': options.ifMatch }),
        ...(options.idempotencyKey === undefined ? {} : { 'Idempotency-Key': options.idempotencyKey }),
      },
    })
    observer.answered()
    return response
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    observer.unreachable()
    throw unreachable(error.timedOut)
  }
}

function unreachable(timedOut: boolean) {
  return new ApiError({
    status: 0,
    code: timedOut ? 'timed_out' : 'unreachable',
    title: timedOut ? 'Tidemark took too long to answer' : 'Tidemark does not answer',
    detail: 'Check that it is running and that this device is connected, then try again.',
  })
}

async function problemIn(response: Answer) {
  const said = response.data instanceof Blob ? await readJson(response.data) : response.data
  const problem: Problem = typeof said === 'object' && said !== null ? said : {}
  const retryAfter = Number(response.header('retry-after'))
  return new ApiError({
    status: response.status,
    code: problem.code ?? 'unexpected_answer',
    title: problem.title ?? `The server answered ${response.status}`,
    detail: problem.detail ?? 'Try again. If it happens again, report the request id.',
    requestId: problem.request_id ?? response.header('x-request-id'),
    errors: problem.errors?.map(({ pointer, detail }) => ({ pointer, detail: plainly(detail) })),
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined,
  })
}

/** A check of shape speaks of strings and inputs; people have fields. */
function plainly(detail: string) {
  return detail
    .replace(/^String should have at (most|least) (\d+) characters?/, 'This has to have at $1 $2 characters')
    .replace(/^Input should be (greater|less) than( or equal to)? /, (_, way: string, orEqual?: string) => (
      `This has to be ${orEqual === undefined ? `${way === 'greater' ? 'more' : 'less'} than` : `at ${way === 'greater' ? 'least' : 'most'}`} `))
}

async function readJson(blob: Blob): Promise<unknown> {
  try {
    return JSON.parse(await blob.text()) as unknown
  } catch {
    return null
  }
}
