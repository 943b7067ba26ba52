import type { toCloudEvent } from '#wire/cloud-event.ts'

/** What a webhook of Duebell says: a CloudEvent 1.0. */
export type WebhookEvent = ReturnType<typeof toCloudEvent>

/** A request that is not to be trusted, and why. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError'
}

/** How old or how far ahead a message may be: older ones may be somebody's recording. */
const toleranceMs = 5 * 60_000

/** As Node has them in a request, or as fetch has them. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The event in a webhook's request, after its signature was verified (Standard Webhooks 1.0). By WebCrypto, so in Node, browsers
 * and workers alike; its `verify` compares in constant time.
 * @param rawBody as it came: JSON that was parsed and written again may have other bytes
 * @param secret `whsec_…`, as the channel has it
 * @throws WebhookError unless somebody who knows the secret sent it within the last five minutes
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
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookError('webhook-timestamp is no time')
  const ageMs = now - Number(timestamp) * 1_000
  if (Math.abs(ageMs) > toleranceMs)
    throw new WebhookError(ageMs > 0 ? 'the message is too old' : 'the message is from the future')

  const key = await crypto.subtle.importKey('raw', keyOf(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
  const body = typeof rawBody === 'string' ? new TextEncoder().encode(rawBody) : rawBody
  const head = new TextEncoder().encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(head.length + body.length)
  signed.set(head)
  signed.set(body, head.length)

  // Several while a secret is being replaced, and of versions that are not ours to know.
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
  throw new WebhookError('no signature is by this secret')
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const found = headers instanceof Headers ? headers.get(name) : headers[name]
  // Node joins what is there twice, or makes a list of it: neither is a value that was signed.
  if (typeof found !== 'string' || found === '') throw new WebhookError(`${name} is missing`)
  return found
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = fromBase64(secret.replace(/^whsec_/, ''))
  if (!key || key.length === 0) throw new WebhookError('the secret is not whsec_ and base64')
  return key
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
