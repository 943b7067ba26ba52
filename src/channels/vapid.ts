import { generateKeyPairSync } from 'node:crypto'

/**
 * The key by which this server makes itself known to the push services of browsers (RFC 8292, VAPID): P-256. All replicas share one, and it
 * stays for ever, since a browser's subscription is bound to it. Made by `node:crypto`; the kind of channel that uses it comes with the web app.
 */
export interface VapidKeys {
  /** The point, uncompressed, in base64url: what a browser subscribes with (RFC 8292 section 3.2). */
  readonly publicKey: string
  /** The scalar, in base64url. */
  readonly privateKey: string
}

export function makeVapidKeys(): VapidKeys {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' })
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  return { publicKey: point.toString('base64url'), privateKey: d }
}
