import { parseRetryAfter } from '#core/retry-after.ts'
import type {
  EtagOption,
  ExistsOption,
  KeyOption,
  MinimalOption,
  RequestOptions,
  StrictOption,
  VersionOption,
} from './methods.ts'
import { ProblemError, toProblem } from './problem-error.ts'
import { type Failure, tries, waitBeforeRetry } from './retry.ts'
import { sleep } from './sleep.ts'

export interface ClientOptions {
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof fetch
  /** Aborts all requests, present and future. */
  readonly signal?: AbortSignal
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** The timeout of one attempt, in ms. Default: 10 s */
  readonly timeoutMs?: number
  /** The maximum number of attempts. Default: 4; 1 means no retry */
  readonly tries?: number
}

/** The options of all operations together; the types of the methods offer each only what it reads. */
export interface CallOptions
  extends RequestOptions,
    VersionOption,
    ExistsOption,
    EtagOption,
    KeyOption,
    StrictOption,
    MinimalOption {
  /** The request may concern a million tasks: an attempt may take as long as `fetch` allows. */
  readonly longTimeout?: boolean | undefined
}

export interface Call {
  <T>(method: string, path: string, body?: unknown, options?: CallOptions): Promise<T>
  /**
   * The body of an event stream, with a single attempt: `followStream` reconnects.
   * @throws ProblemError for an error response, and the errors of fetch
   */
  stream(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/** The effects that a test replaces. */
export interface CallDeps {
  readonly now: () => number
  readonly random: () => number
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>
}

/**
 * Sends requests, with retries (retry.ts). Every POST has an Idempotency-Key, the same for all attempts, so that it takes effect once. PUT,
 * PATCH and DELETE are idempotent, unless they have a condition: a second attempt would fail because the first has succeeded. Such a
 * request is repeated only if the server did nothing.
 */
export function createCall(baseUrl: string, options: ClientOptions = {}, deps: CallDeps = defaultDeps): Call {
  const { token, timeoutMs = 10_000, tries: maxTries = tries } = options
  // A server may be below a path of its host.
  const root = baseUrl.replace(/\/+$/, '')
  const common = { ...options.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }

  /** Reads the global `fetch` at each call, so that a later replacement is used. */
  const sendRequest = (url: URL, init: RequestInit) => (options.fetch ?? fetch)(url, init)

  /** Aborts with the client or with one request. */
  const signalOf = (own: AbortSignal | undefined) =>
    options.signal && own ? AbortSignal.any([options.signal, own]) : (own ?? options.signal)

  async function call<T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T> {
    const signal = signalOf(options.signal)
    const conditions = toConditions(options)
    const preferences = [...(options.strict ? ['handling=strict'] : []), ...(options.minimal ? ['return=minimal'] : [])]
    const headers: Record<string, string> = { accept: 'application/json', ...conditions, ...common }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (preferences.length > 0) headers.prefer = preferences.join(', ')
    if (method === 'POST') headers['idempotency-key'] = options.idempotencyKey ?? randomKey()
    const isRepeatable =
      method === 'GET' || method === 'POST' || (Object.keys(conditions).length === 0 && !hasVersions(body))
    const url = new URL(root + path)
    const init: RequestInit = { method, headers }
    if (body !== undefined) init.body = JSON.stringify(body)

    const begunAt = deps.now()
    for (let attempt = 1; ; attempt++) {
      const send = () => {
        const timeout = AbortSignal.timeout(options.longTimeout ? Math.max(timeoutMs, longMs) : timeoutMs)
        return sendRequest(url, { ...init, signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
      }
      const { value, error, failure } = await attemptOnce<T>(send, deps.now)
      if (!failure) return value as T
      signal?.throwIfAborted()
      const elapsedMs = deps.now() - begunAt
      const waitMs = waitBeforeRetry({
        attempt,
        elapsedMs,
        failure,
        isRepeatable,
        random: deps.random(),
        tries: maxTries,
      })
      if (waitMs === undefined) throw error
      await deps.sleep(waitMs, signal)
      signal?.throwIfAborted()
    }
  }

  return Object.assign(call, {
    async stream(path: string, headers: Record<string, string>, own?: AbortSignal) {
      const response = await sendRequest(new URL(root + path), {
        headers: { accept: 'text/event-stream', ...headers, ...common },
        signal: signalOf(own) ?? null,
        cache: 'no-store',
      })
      if (response.ok && response.body) return response.body
      const retryAfterMs = retryAfterOf(response, deps.now())
      throw toProblemError(response, await response.text(), retryAfterMs)
    },
  })
}

type Attempt<T> = { readonly value?: T; readonly error?: unknown; readonly failure?: Failure }

async function attemptOnce<T>(send: () => Promise<Response>, now: () => number): Promise<Attempt<T>> {
  let response: Response
  let text: string
  try {
    response = await send()
    text = await response.text()
  } catch (error) {
    return { error, failure: {} }
  }
  if (response.ok) {
    try {
      return { value: JSON.parse(text) }
    } catch {
      // Not JSON but a page, of a proxy or of a network with a login.
      return { error: new ProblemError(toProblem(response, ''), undefined), failure: { status: response.status } }
    }
  }
  const retryAfterMs = retryAfterOf(response, now())
  return { error: toProblemError(response, text, retryAfterMs), failure: { status: response.status, retryAfterMs } }
}

const retryAfterOf = ({ headers }: Response, now: number) =>
  parseRetryAfter(headers.get('retry-after'), headers.get('date'), now)

/** Without a response, `fetch` of Node.js fails after five minutes anyway, with a less specific error. */
const longMs = 290_000

function toProblemError(response: Response, text: string, retryAfterMs: number | undefined): ProblemError {
  const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000)
  return new ProblemError(toProblem(response, text), retryAfter)
}

function toConditions({ ifVersion, ifExists, ifEtag }: CallOptions): Record<string, string> {
  const headers: Record<string, string> = {}
  if (ifEtag !== undefined) headers['if-match'] = ifEtag
  if (ifVersion !== undefined)
    headers['if-match'] = [ifVersion]
      .flat()
      .map((version) => `"${version}"`)
      .join(', ')
  else if (ifExists) headers['if-match'] = '*'
  if (ifExists === false) headers['if-none-match'] = '*'
  return headers
}

/** A bulk update may have conditions in its body, one for each item. */
function hasVersions(body: unknown): boolean {
  const { tasks } = (body ?? {}) as { tasks?: unknown }
  return Array.isArray(tasks) && tasks.some((task) => task?.version !== undefined)
}

/** Not randomUUID, which browsers offer only in secure contexts: a server in a network without TLS is none. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const defaultDeps: CallDeps = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep,
}
