import { createHmac } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import Type from 'typebox'
import type { Outcome } from '#core/delivery.ts'
import { invalidMember } from '#core/problem.ts'
import type { ChannelKind } from './channel.ts'

/**
 * A POST to a URL, signed as Standard Webhooks 1.0 (standardwebhooks.com): `webhook-id` is the delivery's id, the same over
 * all attempts. The body is a CloudEvent 1.0 in the JSON format. Its media type is application/json, not the
 * application/cloudevents+json of the CloudEvents HTTP binding: that is what receivers of webhooks parse without being told.
 * By `node:http`: `fetch` takes half as much time again for a message.
 */
const options = Type.Object(
  {
    url: Type.String({ description: 'Where to POST to, http or https', maxLength: 2_000 }),
    secret: Type.String({
      description: 'The key of the signature: whsec_ and 24 to 64 bytes in base64',
      pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

/** Of an answer this much is read, so that the connection can be used again; of a longer one it is closed. */
const answerBytes = 16 * 1024
/** A connection that nobody uses is closed after this: before receivers do it, which would cost the next notice a retry. */
const idleMs = 4_000

export const webhookKind: ChannelKind<typeof options> = {
  kind: 'webhook',
  options,
  concurrency: 16,
  async open({ url, secret }, { toEvent }) {
    const target = parseTarget(url)
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    if (key.length < 24 || key.length > 64) throw invalidMember('/secret', 'must hold 24 to 64 bytes')
    const isEncrypted = target.protocol === 'https:'
    const request = isEncrypted ? https.request : http.request
    const agent = new (isEncrypted ? https.Agent : http.Agent)({ keepAlive: true, timeout: idleMs })
    return {
      send(message, signal) {
        const id = message.deliveryId
        const timestamp = Math.floor(message.sentAt / 1_000)
        const body = JSON.stringify(toEvent(message))
        const headers = {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'Duebell',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': sign(key, id, timestamp, body),
        }
        return new Promise((resolve) => {
          // Redirects are not followed: a receiver must not point us elsewhere, least of all into our own network.
          request(target, { agent, method: 'POST', headers, signal }, (response) => {
            // The status has come, and it is the answer, however the body ends.
            readSome(response).then(() => resolve(toOutcome(response, message.sentAt)))
          })
            .on('error', (error) =>
              resolve({ retry: true, reason: signal.aborted ? 'timed out' : describeFailure(error) }),
            )
            .end(body)
        })
      },
      async [Symbol.asyncDispose]() {
        agent.destroy()
      },
    }
  },
}

/** `v1,<base64 of HMAC-SHA256>` over id, timestamp and body (Standard Webhooks, «Signature scheme»). */
export function sign(key: Buffer, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

function parseTarget(url: string): URL {
  const target = URL.parse(url)
  if (!target || !/^https?:$/.test(target.protocol)) throw invalidMember('/url', 'must be an http or https URL')
  if (target.username || target.password) throw invalidMember('/url', 'must not hold a user name or password')
  return target
}

function toOutcome({ statusCode: status = 0, headers }: http.IncomingMessage, now: number): Outcome {
  if (status >= 200 && status < 300) return 'sent'
  // The status's own name, not the receiver's: what it answers is nobody's to repeat.
  const reason = `${status} ${http.STATUS_CODES[status] ?? ''}`.trim()
  if (status >= 300 && status < 400) return { retry: true, reason: `${reason}: redirects are not followed` }
  if (status === 410 || status === 401 || status === 403) return { retry: false, reason }
  const afterMs = parseRetryAfter(headers['retry-after'], now)
  return afterMs === undefined ? { retry: true, reason } : { retry: true, reason, afterMs }
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3), in ms from now; undefined for anything else. */
function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** Resolves at the end of an answer, or of what is read of it; never rejects. */
function readSome(response: http.IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let read = 0
    response.on('data', (chunk: Buffer) => {
      read += chunk.length
      if (read > answerBytes) response.destroy()
    })
    response.on('error', () => {}) // `close` follows
    response.on('end', resolve)
    response.on('close', resolve)
  })
}

/** The error's code, never its message: that may hold the address, and the address a token. */
function describeFailure({ code }: NodeJS.ErrnoException): string {
  return code ? `cannot be reached: ${code}` : 'cannot be reached'
}
