import type { FastifyRequest } from 'fastify'

/**
 * Cookies of ours. `__Host-`: only from this very host, over TLS (or loopback, where browsers take it as well), for all of its paths; no
 * other site and no subdomain can set it (RFC 6265bis section 4.1.3.2). Lax, as what comes back from a provider of identities must bring
 * its own along.
 */
export interface HostCookie {
  /** The value of a Set-Cookie. Empty and with an age of 0 the browser is rid of it. @param maxAgeMs of which whole seconds count */
  set(value: string, maxAgeMs: number): string
  read(request: Pick<FastifyRequest, 'headers'>): string | undefined
}

/** @param name behind `__Host-`, without what a pattern would take for something else */
export function hostCookie(name: string): HostCookie {
  const form = new RegExp(`(?:^|;\\s*)__Host-${name}=([^;\\s]*)`)
  return {
    set: (value, maxAgeMs) =>
      `__Host-${name}=${value}; Path=/; Max-Age=${Math.floor(maxAgeMs / 1_000)}; HttpOnly; Secure; SameSite=Lax`,
    read: ({ headers: { cookie } }) => (cookie === undefined ? undefined : form.exec(cookie)?.[1]),
  }
}
