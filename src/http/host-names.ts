import { isIP } from 'node:net'

/** Returns whether only this machine can reach an address to listen on. */
export function isLoopbackAddress(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/** Returns whether a request was addressed to this server: by its Host header, and the local address of its connection. */
export type HostCheck = (host: string | undefined, localAddress: string | undefined) => boolean

/**
 * The names under which a server without login answers. By DNS rebinding a foreign name leads to this server, and a browser takes the
 * page of that name and this server for one origin; what the page cannot choose is its Host header. A literal address cannot be
 * rebound, so the address to which the connection leads is as good as a name of this machine.
 * @param allowedHosts names and addresses, without a port
 */
export function createHostCheck(allowedHosts: readonly string[]): HostCheck {
  const names = new Set(['localhost', '127.0.0.1', '::1', ...allowedHosts.map(normalize)])
  return (host, localAddress) => {
    if (host === undefined) return false
    const name = normalize(host.replace(/:\d+$/, ''))
    if (names.has(name) || isLoopbackAddress(name)) return true
    // An IPv4 connection to a socket for both families has the local address ::ffff:192.0.2.7.
    return isIP(name) !== 0 && name === normalize((localAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''))
  }
}

/** In lower case; IPv6 without brackets and zone, in the shortest form, so that any spelling of an address is the same (RFC 5952). */
function normalize(host: string): string {
  const bare = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '')
  return isIP(bare) === 6 ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare
}
