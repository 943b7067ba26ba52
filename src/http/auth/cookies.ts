import type { FastifyRequest } from 'fastify'

/**
 * A cookie with the prefix `__Host-`: browsers accept it only from this host, over TLS or loopback, for all paths. No other site and no
 * subdomain can set it (RFC 6265bis section 4.1.3.2). SameSite is Lax, since a browser that returns from an identity provider must send
 * it.
 */
export interface HostCookie {
  /** Returns the value of a Set-Cookie. An empty value with an age of 0 deletes the cookie. @param maxAgeMs rounded down to seconds */
  set(value: string, maxAgeMs: number): string
  read(request: Pick<FastifyRequest, 'headers'>): string | undefined
}

/** @param name without the prefix `__Host-`, and without special characters of a regular expression */
export function hostCookie(name: string): HostCookie {
  const form = new RegExp(`(?:^|;\\s*)__Host-${name}=([^;\\s]*)`)
  return {
    set: (value, maxAgeMs) =>
      `__Host-${name}=${value}; Path=/; Max-Age=${Math.floor(maxAgeMs / 1_000)}; HttpOnly; Secure; SameSite=Lax`,
    read: ({ headers: { cookie } }) => (cookie === undefined ? undefined : form.exec(cookie)?.[1]),
  }
}
