import { ProblemError, toProblem } from './problem-error.ts'
import { type Failure, maxMs, parseRetryAfter, tries, waitBeforeRetry } from './retry.ts'

export interface ClientOptions {
  /** Instead of the global one. */
  readonly fetch?: typeof fetch
  /** Ends what is underway, and all that is begun later. */
  readonly signal?: AbortSignal
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string
  /** How long one try may take, in ms; 10 s when absent. */
  readonly timeoutMs?: number
  /** How often a request is sent at most; 4 when absent, 1 for no second try. */
  readonly tries?: number
}

export interface Condition {
  /** The version the task must still have, or one of several. */
  readonly ifVersion?: number | readonly number[]
  /** The task must be there (`true`), or must not be there yet. */
  readonly ifExists?: boolean
}

export interface CollectionCondition {
  /** The ETag that the list must still have, as it was read. */
  readonly ifEtag?: string
}

export interface CallOptions extends Condition, CollectionCondition {
  /** Preferences (RFC 7240). */
  readonly prefer?: readonly string[]
  /** It may be about a million tasks: one try may then take as long as `fetch` allows. */
  readonly isLong?: boolean
}

export interface Call {
  <T>(method: string, path: string, body?: unknown, options?: CallOptions): Promise<T>
  /**
   * The body of a stream of events, tried once: whoever follows it comes back by himself.
   * @throws ProblemError when the server refuses, and what fetch throws
   */
  stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/** What a test puts in place of the world. */
export interface World {
  readonly now: () => number
  readonly random: () => number
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>
}

/**
 * One request and its answer, sent again where that makes sense (retry.ts). Every POST carries an Idempotency-Key, the same over its tries:
 * so it may be sent twice and is done once. A PUT, PATCH or DELETE has the same effect twice, unless it has a condition: its
 * second try would be refused for what the first has done. So that one is repeated only where the server did nothing.
 */
export function createCall(baseUrl: string, options: ClientOptions = {}, world: World = theWorld): Call {
  const { signal, token, timeoutMs = 10_000, tries: maxTries = tries } = options
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }

  async function call<T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T> {
    const conditions = toHeaders(options)
    const headers: Record<string, string> = { accept: 'application/json', ...conditions, ...authorization }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (options.prefer?.length) headers.prefer = options.prefer.join(', ')
    if (method === 'POST') headers['idempotency-key'] = randomKey()
    const isRepeatable = method === 'POST' || (Object.keys(conditions).length === 0 && !hasVersions(body))
    const url = new URL(path, baseUrl)
    const init: RequestInit = { method, headers }
    if (body !== undefined) init.body = JSON.stringify(body)

    const begunAt = world.now()
    for (let attempt = 1; ; attempt++) {
      const { value, error, failure } = await attemptOnce<T>(
        url,
        init,
        options.isLong ? Math.max(timeoutMs, longMs) : timeoutMs,
      )
      if (!failure) return value as T
      signal?.throwIfAborted()
      const elapsedMs = world.now() - begunAt
      const waitMs = waitBeforeRetry({
        attempt,
        elapsedMs,
        failure,
        isRepeatable,
        random: world.random(),
        tries: maxTries,
      })
      if (waitMs === undefined) throw error
      await world.sleep(waitMs, signal)
      signal?.throwIfAborted()
    }
  }

  async function attemptOnce<T>(
    url: URL,
    init: RequestInit,
    timeoutMs: number,
  ): Promise<{ value?: T; error?: unknown; failure?: Failure }> {
    const timeout = AbortSignal.timeout(timeoutMs)
    let response: Response
    let text: string
    try {
      // Looked up at each call: whoever replaces the global one later means us too.
      response = await (options.fetch ?? fetch)(url, {
        ...init,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      text = await response.text()
    } catch (error) {
      return { error, failure: {} }
    }
    if (response.ok) {
      try {
        return { value: JSON.parse(text) }
      } catch {
        // A page where an answer should be: of a proxy, or of a network that wants a login first.
        return { error: new ProblemError(toProblem(response, ''), undefined), failure: { status: response.status } }
      }
    }
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), world.now())
    return { error: refusal(response, text, retryAfterMs), failure: { status: response.status, retryAfterMs } }
  }

  return Object.assign(call, {
    async stream(path: string, headers: Record<string, string>, own: AbortSignal) {
      const response = await (options.fetch ?? fetch)(new URL(path, baseUrl), {
        headers: { accept: 'text/event-stream', ...headers, ...authorization },
        signal: signal ? AbortSignal.any([signal, own]) : own,
        cache: 'no-store',
      })
      if (response.ok && response.body) return response.body
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), world.now())
      throw refusal(response, await response.text(), retryAfterMs)
    },
  })
}

/** In Node.js a `fetch` without an answer ends after five minutes anyway, with an error that says less. */
const longMs = 290_000

function refusal(response: Response, text: string, retryAfterMs: number | undefined): ProblemError {
  const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000)
  return new ProblemError(toProblem(response, text), retryAfter)
}

function toHeaders({ ifVersion, ifExists, ifEtag }: CallOptions): Record<string, string> {
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

/** A write of many may have its conditions in the body, one an item. */
function hasVersions(body: unknown): boolean {
  const { tasks } = (body ?? {}) as { tasks?: unknown }
  return Array.isArray(tasks) && tasks.some((task) => task?.version !== undefined)
}

/** Not randomUUID, which browsers have only on secure pages: a server in a network without TLS is not one. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const theWorld: World = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, Math.min(ms, maxMs))
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
    }),
}
