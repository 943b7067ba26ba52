import { WebhookEventShape } from '#api/schemas/webhook.ts'
import { attemptMs } from '#core/delivery.ts'
import type { Answer, Operation, Parameter, Schema } from './document.ts'

/**
 * Describes the requests of a `webhook` channel (src/channels/webhook.ts) to authors of receivers. The body has the shape from which the
 * channel's own type derives; test/openapi/webhooks.test.ts compares real deliveries with every statement here.
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

const description = `A channel of the kind \`webhook\` sends this POST to its URL, signed according to
[Standard Webhooks 1.0](https://www.standardwebhooks.com). Verify the signature with one of its libraries, or in TypeScript with \`verifyWebhook\` of the client.

**Verification.** Decode the base64 after \`whsec_\` of the channel's secret. With that key compute HMAC-SHA256 over
\`{webhook-id}.{webhook-timestamp}.{body}\`, where the body is the bytes as received. Compare its base64 with each signature after \`v1,\`. During a
rotation of the secret there are two. Refuse a timestamp that is more than five minutes away.

**Duplicates.** All attempts of a delivery have the same \`webhook-id\`. After a lost response or a crash the same delivery is sent again: ignore
ids that you have handled.

The receiver must respond within ${attemptMs / 1_000} s. Only the status and Retry-After matter. Redirects are not followed.`

const header = (name: string, words: string, example: string): Parameter => ({
  name,
  in: 'header',
  required: true,
  description: words,
  schema: { type: 'string' },
  example,
})

const parameters: Parameter[] = [
  header('webhook-id', 'The id of the delivery, the same for all its attempts', '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10'),
  header('webhook-timestamp', 'The time of this attempt, in seconds since 1970', '1796118300'),
  header(
    'webhook-signature',
    'One or more signatures separated by spaces, each `v1,` followed by base64',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
]

const retryAfter = {
  'Retry-After': {
    description: 'Seconds or an HTTP date. Honoured from one second to one day; after 429, to one hour.',
    schema: { type: 'string', examples: ['120'] },
  },
}

const responses: Record<string, Answer> = {
  '2XX': { description: 'The delivery is `sent`' },
  '401': {
    description:
      'The delivery is `failed` at once, since a repeated attempt would be refused as well. The same holds for 403',
  },
  '410': { description: 'The delivery is `failed` at once, and the channel is switched off' },
  '429': { description: 'Nothing is sent to this channel until Retry-After has passed', headers: retryAfter },
  default: {
    description:
      'The delivery is attempted again after 5 s, 30 s, 2 min and so on, or after Retry-After. After about a day it is `failed`',
    headers: retryAfter,
  },
}
