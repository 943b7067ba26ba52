import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Outcome } from '#core/delivery.ts'
import { invalidMember } from '#core/problem.ts'
import { parseRetryAfter } from '#core/retry-after.ts'
import { checkAddress, createLookup, type EgressPolicy, formatBlockReason } from './egress-policy.ts'
import { openLimitedAgent } from './limited-agent.ts'
import { floodCode, floodReason } from './read-budget.ts'

/**
 * The HTTP client of every kind of channel that speaks HTTP. It never connects to a blocked address, never follows a redirect, and never
 * reads more than it needs of a response or its framing (`limited-agent.ts`). Its errors never name the address, which may hold a token.
 * It uses `node:http`, since `fetch` takes four times as long for a message (170 against 45 µs).
 */
export interface HttpClient extends AsyncDisposable {
  /**
   * Resolves with any response, including an error status.
   * @throws Unreachable without a response, with a reason that may be shown
   */
  request(request: HttpRequest): Promise<HttpResponse>
}

export interface HttpRequest {
  /** Appended to the target's path: encoded, with its leading slash. Absent means nothing. */
  readonly path?: string
  /** Default: POST. */
  readonly method?: string
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
  readonly signal: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The first 16 KiB of the body, or the requested number of bytes. It is foreign text: never show it unchanged. */
  text(): string
  /** Whether `text` is the whole body. */
  readonly isWhole: boolean
}

export class Unreachable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Unreachable'
  }
}

// Not imported: an import reads every export of a Node module, and here WebSocket would load undici: 4 MB.
const http = process.getBuiltinModule('node:http')

/** A body up to this size is read to its end, so that the connection can be reused. A longer one closes the connection. */
const defaultBodyBytes = 16 * 1024
/** An idle connection is closed after this: before receivers close it, which would cost the next notification a retry. */
const idleMs = 4_000

/** The base URL of requests, and the addresses to which its name may resolve. */
export interface Target {
  readonly url: URL
  readonly egress: EgressPolicy
}

/**
 * @param member the option to name in an error: `/url`
 * @throws Problem `invalid` unless it is an http or https URL without a password and with an allowed address
 */
export function parseTarget(text: string, member: string, egress: EgressPolicy): Target {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) throw invalidMember(member, 'must be an http or https URL')
  if (url.username || url.password) throw invalidMember(member, 'must not hold a user name or password')
  checkAddress(url.hostname, member, egress)
  return { url, egress }
}

/**
 * @param target all requests go to this host, below this path
 * @param bodyBytes how much of a response's body is read
 */
export function openHttpClient({ url: target, egress }: Target, bodyBytes = defaultBodyBytes): HttpClient {
  const isEncrypted = target.protocol === 'https:'
  const lookup = createLookup(egress)
  const agent = openLimitedAgent({ isEncrypted, lookup, idleMs, bodyBytes })
  const base = {
    protocol: target.protocol,
    host: target.hostname.replace(/^\[|\]$/g, ''),
    port: target.port,
  }
  return {
    request({ path, method = 'POST', headers, body, signal }) {
      const options = {
        ...base,
        path: (path ? target.pathname.replace(/\/+$/, '') + path : target.pathname) + target.search,
        method,
        headers: {
          ...headers,
          'user-agent': 'Duebell',
          // A GET without content has none (RFC 9110 section 8.6).
          ...(method === 'GET' && body === '' ? {} : { 'content-length': Buffer.byteLength(body) }),
        },
        signal,
      }
      return new Promise((resolve, reject) => {
        let isAnswered = false
        const sent = agent.request(options, (response) => {
          isAnswered = true
          // The status decides, however the body ends.
          readSome(response, bodyBytes).then(({ chunks, isWhole }) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: () => Buffer.concat(chunks).toString('utf8', 0, bodyBytes),
              isWhole,
            }),
          )
        })
        sent
          .on('error', (error) => {
            if (!isAnswered) reject(new Unreachable(signal.aborted ? 'timed out' : formatFailure(error)))
          })
          .end(body)
      })
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
    },
  }
}

/** Resolves at the end of the body, or at its limit; never rejects. */
function readSome(response: IncomingMessage, maxBytes: number): Promise<{ chunks: Buffer[]; isWhole: boolean }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let read = 0
    response.on('data', (chunk: Buffer) => {
      if (read < maxBytes) chunks.push(chunk)
      read += chunk.length
      if (read > maxBytes) response.destroy()
    })
    response.on('error', () => {}) // `close` follows
    response.on('end', () => resolve({ chunks, isWhole: read <= maxBytes }))
    response.on('close', () => resolve({ chunks, isWhole: false }))
  })
}

/** The error's code, never its message: the message may hold the address, and the address a token. */
export function formatFailure({ code }: NodeJS.ErrnoException): string {
  const blockReason = formatBlockReason(code)
  if (blockReason) return blockReason
  if (code === floodCode) return floodReason
  // Node, OpenSSL and c-ares write codes in capitals. Any other `code` of a library may be text of the peer.
  return /^[A-Z][A-Z0-9_]{1,60}$/.test(String(code)) ? `cannot be reached: ${code}` : 'cannot be reached'
}

/**
 * The outcome by the usual meaning of a status. 401, 403 and 410 are final: a refused key does not recover by itself, and the user should
 * learn of it now, not after a day of attempts.
 * @param now ms since 1970
 * @param errorText the receiver's own description, if its API defines one: redacted and short
 */
export function toOutcome(
  { status, headers }: Pick<HttpResponse, 'status' | 'headers'>,
  now: number,
  errorText?: string,
): Outcome {
  if (status >= 200 && status < 300) return 'sent'
  // The standard name of the status: the receiver's own reason phrase is foreign text.
  const name = `${status} ${http.STATUS_CODES[status] ?? ''}`.trim()
  const reason = errorText ? `${name}: ${errorText}` : name
  if (status >= 300 && status < 400) return { retry: true, reason: `${reason}: redirects are not followed`, status }
  if (status === 410) return { retry: false, reason, status, isGone: true }
  if (status === 401 || status === 403) return { retry: false, reason, status }
  const afterMs = parseRetryAfter(headers['retry-after'], headers.date, now)
  return afterMs === undefined ? { retry: true, reason, status } : { retry: true, reason, status, afterMs }
}
