import { hkdfSync } from 'node:crypto'

/**
 * Encrypts text that a browser keeps for us and can neither read nor change: a JWE in compact form (RFC 7516), AES-256-GCM with a key
 * derived by HKDF from one that all replicas share. Each purpose has a key of its own. `jose` is loaded with the first text, as
 * openid-client does.
 */
export interface CookieCipher {
  encrypt(text: string): Promise<string>
  /** Returns null for text of another key or purpose, and for text that was changed. */
  decrypt(encrypted: string): Promise<string | null>
}

const algorithms = { alg: 'dir', enc: 'A256GCM' }

export function createCookieCipher(key: string, purpose: string): CookieCipher {
  const derived = new Uint8Array(hkdfSync('sha256', key, '', purpose, 32))
  return {
    async encrypt(text) {
      const { CompactEncrypt } = await import('jose/jwe/compact/encrypt')
      return new CompactEncrypt(Buffer.from(text)).setProtectedHeader(algorithms).encrypt(derived)
    },
    async decrypt(encrypted) {
      const { compactDecrypt } = await import('jose/jwe/compact/decrypt')
      const allowed = { keyManagementAlgorithms: [algorithms.alg], contentEncryptionAlgorithms: [algorithms.enc] }
      const result = await compactDecrypt(encrypted, derived, allowed).catch(() => null)
      return result && Buffer.from(result.plaintext).toString()
    },
  }
}
