import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import Type from 'typebox'
import { invalidMember } from '#core/problem.ts'
import type { ChannelKind } from './channel.ts'
import { openOutbound, parseTarget, toOutcome } from './outbound.ts'

/**
 * A POST to a URL, signed as Standard Webhooks 1.0 (standardwebhooks.com): `webhook-id` is the delivery's id, the same over
 * all attempts. The body is a CloudEvent 1.0 in the JSON format. Its media type is application/json, not the
 * application/cloudevents+json of the CloudEvents HTTP binding: that is what receivers of webhooks parse without being told.
 */
const options = Type.Object(
  {
    url: Type.String({ title: 'URL', description: 'Where to POST to, http or https', maxLength: 2_000 }),
    secret: Type.String({
      title: 'Secret',
      description: 'The key of the signature: whsec_ and 24 to 64 bytes in base64',
      pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const webhookKind: ChannelKind<typeof options> = {
  kind: 'webhook',
  label: 'Webhook',
  about: 'A signed POST to a program of your own, as Standard Webhooks 1.0 with a CloudEvent as its body.',
  options,
  concurrency: 32,
  async open({ url, secret }, { toEvent }) {
    const outbound = openOutbound(parseTarget(url, '/url'))
    const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64')
    if (bytes.length < 24 || bytes.length > 64) throw invalidMember('/secret', 'must hold 24 to 64 bytes')
    const key = createSecretKey(bytes)
    return {
      async send(message, signal) {
        const id = message.deliveryId
        const timestamp = Math.floor(message.sentAt / 1_000)
        const body = JSON.stringify(toEvent(message))
        const headers = {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': sign(key, id, timestamp, body),
        }
        // Of what it answers nothing is repeated: it may be anybody's.
        return toOutcome(await outbound.request({ headers, body, signal }), message.sentAt)
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

/** `v1,<base64 of HMAC-SHA256>` over id, timestamp and body (Standard Webhooks, «Signature scheme»). */
export function sign(key: Buffer | KeyObject, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
