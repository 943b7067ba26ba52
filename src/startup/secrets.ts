import { randomBytes } from 'node:crypto'
import { makeVapidKeys, type VapidKeys } from '#channels/vapid.ts'
import type { Store } from '#store/engine/open.ts'
import { sharedSecret } from '#store/secrets.ts'

/** Keys that all replicas share, created by the first of them. */

const randomKey = () => randomBytes(32).toString('base64url')

/** Signs action links: a link of one replica must work at the others. */
export const linkKey = (store: Store) => sharedSecret(store, 'links', randomKey)

/** Encrypts sign-in cookies: a sign-in that begins at one replica may end at another. */
export const cookieKey = (store: Store) => sharedSecret(store, 'seal', randomKey)

export const vapidKeys = async (store: Store): Promise<VapidKeys> =>
  JSON.parse(await sharedSecret(store, 'vapid', () => JSON.stringify(makeVapidKeys())))
