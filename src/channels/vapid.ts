import { generateKeyPairSync } from 'node:crypto'

/**
 * The P-256 key that identifies this server to the push services of browsers (VAPID, RFC 8292). All replicas share it, and it never
 * changes, since browsers bind their subscriptions to it. The kind of channel that uses it comes with the web app.
 */
export interface VapidKeys {
  /** The uncompressed point in base64url, with which a browser subscribes (RFC 8292 section 3.2). */
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
