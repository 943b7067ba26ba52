import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'

/**
 * A POST to a URL, signed as Standard Webhooks 1.0 (standardwebhooks.com). `webhook-id` is the delivery's id, the same for all attempts.
 * The body is a CloudEvent 1.0 in the JSON format. Its media type is application/json, which every receiver of webhooks parses by default,
 * and not the application/cloudevents+json of the CloudEvents HTTP binding.
 */
const secretForm = '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'The http or https URL to POST to',
      maxLength: 2_000,
      // The secret is never sent. A signature (HMAC-SHA256) does not reveal its key to any receiver.
      affectsSecrets: false,
    }),
    secret: Type.String({
      title: 'Secret',
      description: 'The key of the signature: whsec_ and 24 to 64 bytes in base64',
      pattern: secretForm,
      writeOnly: true,
    }),
    previous_secret: Type.Optional(
      Type.String({
        title: 'Previous secret',
        description: 'Also signs during a rotation, so that the receiver can switch later',
        pattern: secretForm,
        writeOnly: true,
      }),
    ),
    previous_until: Type.Optional(
      Type.String({
        title: 'Previous secret until',
        description: 'RFC 3339. Default: no end',
        maxLength: 40,
        affectsSecrets: false,
      }),
    ),
  },
  { additionalProperties: false },
)

export const webhookKind: ChannelKind<typeof options> = {
  kind: 'webhook',
  label: 'Webhook',
  about: 'A signed POST to your own program, as Standard Webhooks 1.0 with a CloudEvent as its body.',
  options,
  concurrency: 32,
  ownSecret: {
    member: 'secret',
    make: () => `whsec_${randomBytes(32).toString('base64')}`,
    rotate: ({ secret, ...options }, now) => ({
      ...options,
      secret: `whsec_${randomBytes(32).toString('base64')}`,
      previous_secret: secret,
      previous_until: new Date(now + rotationMs).toISOString(),
    }),
  },
  async open({ url, secret, previous_secret, previous_until }, { toEvent, egress }) {
    const client = openHttpClient(parseTarget(url, '/url', egress))
    const key = toKey(secret, '/secret')
    const previousKey = previous_secret === undefined ? null : toKey(previous_secret, '/previous_secret')
    const previousUntil = previous_until === undefined ? Number.POSITIVE_INFINITY : Date.parse(previous_until)
    if (Number.isNaN(previousUntil)) throw invalidMember('/previous_until', 'must be a time of RFC 3339')
    return {
      async send(message, signal) {
        const id = message.deliveryId
        const timestamp = Math.floor(message.sentAt / 1_000)
        const body = JSON.stringify(toEvent(message))
        const keys = previousKey && message.sentAt < previousUntil ? [key, previousKey] : [key]
        const headers = {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': keys.map((one) => sign(one, id, timestamp, body)).join(' '),
        }
        // The response's text is never repeated: any server may be at that address.
        return toOutcome(await client.request({ headers, body, signal }), message.sentAt)
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}

/** How long the previous secret keeps signing. */
const rotationMs = 24 * 3_600_000

function toKey(secret: string, member: string): KeyObject {
  const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64')
  if (bytes.length < 24 || bytes.length > 64) throw invalidMember(member, 'must hold 24 to 64 bytes')
  return createSecretKey(bytes)
}

/** `v1,<base64 of HMAC-SHA256>` over id, timestamp and body (Standard Webhooks, «Signature scheme»). */
export function sign(key: Buffer | KeyObject, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
