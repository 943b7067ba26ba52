import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Encrypts text that a browser keeps for us and can neither read nor change: AES-256-GCM, with a key derived by HKDF from one that all
 * replicas share. Each purpose has a key of its own.
 *
 *   base64url( 12 random bytes | ciphertext | 16 bytes of authentication tag )
 */
export interface CookieCipher {
  encrypt(text: string): string
  /** Returns null for text of another key or purpose, and for text that was changed. */
  decrypt(encrypted: string): string | null
}

const ivBytes = 12
const tagBytes = 16

export function createCookieCipher(key: string, purpose: string): CookieCipher {
  const derived = Buffer.from(hkdfSync('sha256', key, '', purpose, 32))
  return {
    encrypt(text) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', derived, iv, { authTagLength: tagBytes })
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url')
    },
    decrypt(encrypted) {
      const bytes = Buffer.from(encrypted, 'base64url')
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
