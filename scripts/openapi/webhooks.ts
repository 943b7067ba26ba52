import { WebhookEventShape } from '#api/schemas/webhook.ts'
import { attemptMs } from '#core/delivery.ts'
import type { Answer, Operation, Parameter, Schema } from './document.ts'

/**
 * What a channel of the kind `webhook` sends, for those who write a receiver (src/channels/webhook.ts). The body is of the shape to which
 * the channel's own type belongs; test/openapi/webhooks.test.ts holds real deliveries against all that is said here.
 */
export function describeWebhooks(toSchema: (shape: unknown) => Schema): Record<string, Record<string, Operation>> {
  const operation: Operation = {
    operationId: 'receiveReminder',
    summary: 'Receive a reminder that has fired',
    description,
    tags: ['channels'],
    security: [],
    parameters,
    requestBody: { required: true, content: { 'application/json': { schema: toSchema(WebhookEventShape) } } },
    responses,
  }
  return { reminder: { post: operation } }
}

const description = `A channel of the kind \`webhook\` sends this POST to its URL, signed as
[Standard Webhooks 1.0](https://www.standardwebhooks.com) asks. A library of it verifies the signature; in TypeScript so does \`verifyWebhook\` of
the client.

**To verify:** decode the base64 behind \`whsec_\` of the channel's secret; with that key compute HMAC-SHA256 over \`{webhook-id}.{webhook-timestamp}.{body}\`, where
the body is the bytes as they came; compare its base64 with each signature behind \`v1,\`. While a secret is rotated there are two. Refuse a timestamp that is more than
five minutes away.

**To be sent once:** \`webhook-id\` is the same over all attempts of a delivery. After a lost answer or a crash the same one comes again: pass over those
that you have handled.

An answer within ${attemptMs / 1_000} s counts, and only its status and Retry-After do. Redirects are not followed.`

const header = (name: string, words: string, example: string): Parameter => ({
  name,
  in: 'header',
  required: true,
  description: words,
  schema: { type: 'string' },
  example,
})

const parameters: Parameter[] = [
  header('webhook-id', 'The delivery, the same over all its attempts', '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10'),
  header('webhook-timestamp', 'When this attempt was made, in seconds since 1970', '1796118300'),
  header(
    'webhook-signature',
    'One or more signatures with spaces between them, each `v1,` and a base64',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
]

const retryAfter = {
  'Retry-After': {
    description: 'Seconds or an HTTP date; heeded from a second to a day, after 429 to an hour.',
    schema: { type: 'string', examples: ['120'] },
  },
}

const responses: Record<string, Answer> = {
  '2XX': { description: 'The delivery is `sent`' },
  '401': {
    description: 'The delivery is `failed` at once, since a refused signature does not mend itself; so it is with 403',
  },
  '410': { description: 'The delivery is `failed` at once, and the channel is switched off' },
  '429': { description: 'Nothing is sent over this channel until Retry-After is over', headers: retryAfter },
  default: {
    description:
      'Tried again after 5 s, 30 s, 2 min and so on for about a day, or after Retry-After; then the delivery is `failed`',
    headers: retryAfter,
  },
}
