import { isIP } from 'node:net'
import { isLoopback, parseAddress } from '#ip-address.ts'

/** Returns whether only this machine can reach an address to listen on. */
export function isLoopbackAddress(host: string): boolean {
  return host === 'localhost' || isLoopback(host)
}

/** Returns whether a request is addressed to this server, by its Host header and the local address of its connection. */
export type HostCheck = (host: string | undefined, localAddress: string | undefined) => boolean

/**
 * Checks the Host header of requests to a server without login. DNS rebinding makes a foreign name resolve to this server, and a browser
 * treats the page of that name and this server as one origin. But the page cannot choose the Host header. A literal address cannot be
 * rebound, so the local address of the connection is as safe as a name of this machine.
 * @param allowedHosts names and addresses, without a port
 */
export function createHostCheck(allowedHosts: readonly string[]): HostCheck {
  const names = new Set(['localhost', '127.0.0.1', '::1', ...allowedHosts.map(normalize)])
  return (host, localAddress) => {
    if (host === undefined) return false
    const name = normalize(host.replace(/:\d+$/, ''))
    if (names.has(name) || isLoopbackAddress(name)) return true
    return isIP(name) !== 0 && name === normalize(localAddress ?? '')
  }
}

/**
 * Returns the fault of an entry of `allowedHosts`, if it has one. An entry with a scheme, a port or a wildcard would match no request, nor
 * would a name in other letters than browsers send.
 */
export function hostFault(text: string): string | undefined {
  if (isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0) return undefined
  const host = /[\s:/?#@\\%*]/.test(text) ? undefined : URL.parse(`http://${text}`)?.hostname
  if (host === undefined) return 'must be a host name or an address, without a scheme, a port, a path or a *'
  return host === text.toLowerCase() ? undefined : `must be as browsers send it: ${host}`
}

/**
 * Lower case; IPv6 in the shortest form (RFC 5952), without brackets and zone, so that all spellings of an address are equal. An
 * IPv4-mapped address becomes IPv4: connections to a dual-stack socket have the local address ::ffff:192.0.2.7.
 */
function normalize(host: string): string {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return isIP(bare) === 6 ? String(parseAddress(bare)) : bare
}
