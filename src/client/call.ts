import { ProblemError, toProblem } from './problem-error.ts'
import { type Failure, longestMs, parseRetryAfter, tries, waitBeforeRetry } from './retry.ts'

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
  /** The version the task must still have. */
  readonly ifVersion?: number
}

export type Call = <T>(method: string, path: string, body?: unknown, condition?: Condition) => Promise<T>

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
  const { signal, token, timeoutMs = 10_000, tries: mostTries = tries } = options

  return async <T>(method: string, path: string, body?: unknown, { ifVersion }: Condition = {}): Promise<T> => {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (ifVersion !== undefined) headers['if-match'] = `"${ifVersion}"`
    if (token !== undefined) headers.authorization = `Bearer ${token}`
    if (method === 'POST') headers['idempotency-key'] = randomKey()
    const isRepeatable = method === 'POST' || ifVersion === undefined
    const url = new URL(path, baseUrl)
    const init: RequestInit = { method, headers }
    if (body !== undefined) init.body = JSON.stringify(body)

    const begunAt = world.now()
    for (let attempt = 1; ; attempt++) {
      const { value, error, failure } = await attemptOnce<T>(url, init)
      if (!failure) return value as T
      signal?.throwIfAborted()
      const elapsedMs = world.now() - begunAt
      const waitMs = waitBeforeRetry({
        attempt,
        elapsedMs,
        failure,
        isRepeatable,
        random: world.random(),
        tries: mostTries,
      })
      if (waitMs === undefined) throw error
      await world.sleep(waitMs, signal)
      signal?.throwIfAborted()
    }
  }

  async function attemptOnce<T>(
    url: URL,
    init: RequestInit,
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
    const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000)
    const error = new ProblemError(toProblem(response, text), retryAfter)
    return { error, failure: { status: response.status, retryAfterMs } }
  }
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
      const timer = setTimeout(end, Math.min(ms, longestMs))
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
    }),
}
