import { createHmac } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import Type from 'typebox'
import type { Outcome } from '#core/delivery.ts'
import { invalidMember } from '#core/problem.ts'
import type { ChannelKind } from './channel.ts'

/**
 * A POST to a URL, signed as Standard Webhooks 1.0 (standardwebhooks.com): `webhook-id` is the delivery's id, the same over
 * all attempts. The body is a CloudEvent 1.0 in the JSON format. Its media type is application/json, not the
 * application/cloudevents+json of the CloudEvents HTTP binding: that is what receivers of webhooks parse without being told.
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

export const webhookKind: ChannelKind<typeof options> = {
  kind: 'webhook',
  options,
  concurrency: 16,
  async open({ url, secret }, { toEvent }) {
    const target = parseTarget(url)
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    if (key.length < 24 || key.length > 64) throw invalidMember('/secret', 'must hold 24 to 64 bytes')
    return {
      async send(message, signal) {
        const id = message.deliveryId
        const timestamp = Math.floor(message.sentAt / 1_000)
        const body = JSON.stringify(toEvent(message))
        let response: Response
        try {
          response = await fetch(target, {
            method: 'POST',
            redirect: 'manual', // a receiver must not point us elsewhere, least of all into our own network
            signal,
            body,
            headers: {
              'content-type': 'application/json',
              'user-agent': 'Duebell',
              'webhook-id': id,
              'webhook-timestamp': String(timestamp),
              'webhook-signature': sign(key, id, timestamp, body),
            },
          })
        } catch (error) {
          return { retry: true, reason: signal.aborted ? 'timed out' : describeFailure(error) }
        }
        await readSome(response).catch(() => {}) // the status has come, and it is the answer
        return toOutcome(response, message.sentAt)
      },
      async [Symbol.asyncDispose]() {},
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

function toOutcome(response: Response, now: number): Outcome {
  const { status } = response
  if (status >= 200 && status < 300) return 'sent'
  // The status's own name, not the receiver's: what it answers is nobody's to repeat.
  const reason = `${status} ${STATUS_CODES[status] ?? ''}`.trim()
  if (status >= 300 && status < 400) return { retry: true, reason: `${reason}: redirects are not followed` }
  if (status === 410 || status === 401 || status === 403) return { retry: false, reason }
  const afterMs = parseRetryAfter(response.headers.get('retry-after'), now)
  return afterMs === undefined ? { retry: true, reason } : { retry: true, reason, afterMs }
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3), in ms from now; undefined for anything else. */
function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

async function readSome(response: Response): Promise<void> {
  if (!response.body) return
  let read = 0
  for await (const chunk of response.body) {
    read += chunk.length
    if (read > answerBytes) break // leaving the loop cancels the body and closes the connection
  }
}

/** The error's code, never its message: that may hold the address, and the address a token. */
function describeFailure(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown } }).cause
  const code = cause?.code ?? (error as { code?: unknown }).code
  return typeof code === 'string' ? `cannot be reached: ${code}` : 'cannot be reached'
}
