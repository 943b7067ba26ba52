import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Outcome } from '#core/delivery.ts'
import { invalidMember } from '#core/problem.ts'
import { type EgressPolicy, formatBlockReason, lookupWithin, refuseOutOfReach } from './egress-policy.ts'
import { openLimitedAgent } from './limited-agent.ts'
import { floodCode, floodReason } from './read-budget.ts'

/**
 * HTTP to servers of others, for every kind of channel that speaks it. What it never does: connect to an address out of the channel's
 * reach, follow a redirect, read more of an answer than it needs or of what comes with it (`limited-agent.ts`), say in an error where it was going (an address may hold
 * a token). By `node:http`: `fetch` takes four times as long for a message (170 against 45 µs).
 */
export interface HttpClient extends AsyncDisposable {
  /**
   * Resolves with whatever was answered, be it an error.
   * @throws Unreachable when nothing was, with a reason that may be shown
   */
  request(request: HttpRequest): Promise<Answer>
}

export interface HttpRequest {
  /** What stands behind the target's path, encoded, with its slash; nothing where absent. */
  readonly path?: string
  /** POST where absent. */
  readonly method?: string
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The first 16 KiB of the body, or as much as was asked for. Of somebody else's making: shown to nobody as it is. */
  text(): string
  /** Whether that is all of it. */
  readonly isWhole: boolean
}

export class Unreachable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Unreachable'
  }
}

// Not imported: an import reads all that a module of Node has, and of this one the WebSocket, for which it loads undici: 4 MB.
const http = process.getBuiltinModule('node:http')

/** Of a body this much is read, so that the connection can be used again; of a longer one it is closed. */
const defaultBodyBytes = 16 * 1024
/** A connection that nobody uses is closed after this: before receivers do it, which would cost the next notification a retry. */
const idleMs = 4_000

/** Where requests go, and how far a name in it may lead. */
export interface Target {
  readonly url: URL
  readonly reach: EgressPolicy
}

/**
 * @param member of the options, to name in a refusal: `/url`
 * @throws Problem `invalid` for what is no http or https URL, holds a password, or leads out of reach
 */
export function parseTarget(text: string, member: string, reach: EgressPolicy): Target {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) throw invalidMember(member, 'must be an http or https URL')
  if (url.username || url.password) throw invalidMember(member, 'must not hold a user name or password')
  refuseOutOfReach(url.hostname, member, reach)
  return { url, reach }
}

/**
 * @param target all requests go to this host, below this path
 * @param bodyBytes of an answer so much of its body is read
 */
export function openHttpClient({ url: target, reach }: Target, bodyBytes = defaultBodyBytes): HttpClient {
  const isEncrypted = target.protocol === 'https:'
  const request = isEncrypted ? https.request : http.request
  const lookup = lookupWithin(reach)
  const { agent, watch } = openLimitedAgent({ isEncrypted, lookup, idleMs, bodyBytes })
  const base = {
    agent,
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
        const sent = request(options, (response) => {
          isAnswered = true
          // The status has come, and it is the answer, however the body ends.
          readSome(response, bodyBytes).then(({ chunks, isWhole }) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: () => Buffer.concat(chunks).toString('utf8', 0, bodyBytes),
              isWhole,
            }),
          )
        })
        watch(sent)
        sent
          .on('error', (error) => {
            if (!isAnswered) reject(new Unreachable(signal.aborted ? 'timed out' : describeFailure(error)))
          })
          .end(body)
      })
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
    },
  }
}

/** Resolves at the end of an answer, or of what is read of it; never rejects. */
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

/** The error's code, never its message: that may hold the address, and the address a token. */
export function describeFailure({ code }: NodeJS.ErrnoException): string {
  const blockReason = formatBlockReason(code)
  if (blockReason) return blockReason
  if (code === floodCode) return floodReason
  // In capitals, as Node, OpenSSL and c-ares write theirs: whatever else a library calls a code may be words of the peer.
  return /^[A-Z][A-Z0-9_]{1,60}$/.test(String(code)) ? `cannot be reached: ${code}` : 'cannot be reached'
}

/**
 * What an answer means, as most servers mean it. 401, 403 and 410 are final: a refused key does not heal by itself, and to hear of
 * it now is worth more than a day of attempts.
 * @param now ms since 1970
 * @param words what the receiver says went wrong, where its API defines that; cleaned and short
 */
export function toOutcome(
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  now: number,
  words?: string,
): Outcome {
  if (status >= 200 && status < 300) return 'sent'
  // The status's own name, not the receiver's: what it answers is nobody's to repeat.
  const name = `${status} ${http.STATUS_CODES[status] ?? ''}`.trim()
  const reason = words ? `${name}: ${words}` : name
  if (status >= 300 && status < 400) return { retry: true, reason: `${reason}: redirects are not followed`, status }
  if (status === 410) return { retry: false, reason, status, isGone: true }
  if (status === 401 || status === 403) return { retry: false, reason, status }
  const afterMs = parseRetryAfter(headers, now)
  return afterMs === undefined ? { retry: true, reason, status } : { retry: true, reason, status, afterMs }
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3), in ms from now; undefined for anything else. */
function parseRetryAfter({ 'retry-after': value, date }: IncomingHttpHeaders, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  if (Number.isNaN(at)) return undefined
  // By the receiver's own clock where it tells it (section 6.6.1): an hour of skew would be an hour of waiting, or none at all.
  const sentAt = Date.parse(date ?? '')
  return Math.max(0, at - (Number.isNaN(sentAt) ? now : sentAt))
}
