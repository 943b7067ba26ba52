import type { WebhookEventWire } from '#api/schemas/webhook.ts'

/** The body of Duebell's webhooks: a CloudEvent 1.0. */
export type WebhookEvent = WebhookEventWire

/** Why a request cannot be trusted. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError'
}

/** The maximum age of a message, and the maximum skew of clocks. An older message may be a replay. */
const toleranceMs = 5 * 60_000

/** Headers of a Node request, or of fetch. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The event of a webhook's request, once its signature is verified (Standard Webhooks 1.0). It uses WebCrypto, so it works in Node,
 * browsers and workers; `verify` compares in constant time.
 * @param rawBody the body as received: JSON that was parsed and serialised again may have other bytes
 * @param secret the channel's secret, `whsec_…`
 * @throws WebhookError unless a sender with the secret sent it within the last five minutes
 */
export async function verifyWebhook(
  rawBody: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string,
  now: number = Date.now(),
): Promise<WebhookEvent> {
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const signatures = headerOf(headers, 'webhook-signature')
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookError('webhook-timestamp is not a time')
  const ageMs = now - Number(timestamp) * 1_000
  if (Math.abs(ageMs) > toleranceMs)
    throw new WebhookError(ageMs > 0 ? 'the message is too old' : 'the message is from the future')

  const key = await crypto.subtle.importKey('raw', keyOf(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
  const body = typeof rawBody === 'string' ? new TextEncoder().encode(rawBody) : rawBody
  const head = new TextEncoder().encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(head.length + body.length)
  signed.set(head)
  signed.set(body, head.length)

  // There may be several: during a rotation of the secret, and of other versions.
  for (const one of signatures.split(' ')) {
    const [version, text = ''] = one.split(',')
    const signature = version === 'v1' ? fromBase64(text) : undefined
    if (signature && (await crypto.subtle.verify('HMAC', key, signature, signed))) {
      try {
        return JSON.parse(new TextDecoder().decode(body))
      } catch {
        throw new WebhookError('the body is not JSON')
      }
    }
  }
  throw new WebhookError('no signature matches this secret')
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const found = headers instanceof Headers ? headers.get(name) : headers[name]
  // Node joins repeated headers, or makes an array: neither is the value that was signed.
  if (typeof found !== 'string' || found === '') throw new WebhookError(`${name} is missing`)
  return found
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = fromBase64(secret.replace(/^whsec_/, ''))
  if (!key || key.length === 0) throw new WebhookError('the secret must be whsec_ and base64')
  return key
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
