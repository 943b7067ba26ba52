import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Text that somebody else keeps for us and can neither read nor change: AES-256-GCM, under a key derived (HKDF) from one that all replicas
 * share. Of what is sealed for one purpose nothing can be used for another.
 *
 *   base64url( 12 bytes at random | what is sealed | 16 bytes that prove it whole )
 */
export interface Sealer {
  seal(text: string): string
  /** Null for what is not of this key and purpose, or not whole. */
  unseal(sealed: string): string | null
}

const ivBytes = 12
const tagBytes = 16

export function createSealedCookie(key: string, purpose: string): Sealer {
  const derived = Buffer.from(hkdfSync('sha256', key, '', purpose, 32))
  return {
    seal(text) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', derived, iv, { authTagLength: tagBytes })
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url')
    },
    unseal(sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < ivBytes + tagBytes) return null
      const body = bytes.subarray(ivBytes, -tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', derived, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      try {
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
      } catch {
        return null
      }
    },
  }
}
