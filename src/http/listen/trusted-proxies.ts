import { isInRanges, parseAddress, parseRange } from '#ip-address.ts'

/** Returns whether X-Forwarded-* headers from an address are trusted. A Unix socket has no address. */
export type Trust = (address: string | undefined) => boolean

/** Returns the fault of an entry of `trustProxy`, if it has one. */
export function proxyFault(text: string): string | undefined {
  if (text === 'loopback') return undefined
  const [address = '', , more] = text.split('/')
  // A zone names an interface of this machine, and is no part of a proxy's address.
  if (!parseRange(address) || more !== undefined)
    return 'must be an address like 192.0.2.7, a range of them like 10.0.0.0/8, or the word loopback'
  const range = parseRange(text)
  if (!range) return 'must have a valid prefix length, like 10.0.0.0/8'
  return range[1] === 0 ? 'trusts every address, so any client could claim any other' : undefined
}

/**
 * Rejected: Fastify's own ranges. In them a Unix socket, the best way for a proxy on this machine, has no address to trust.
 * @param texts without a fault
 * @returns undefined where no proxy is trusted
 */
export function createTrust(texts: readonly string[]): Trust | undefined {
  if (texts.length === 0) return undefined
  const hasLoopback = texts.includes('loopback')
  const ranges = texts
    .flatMap((text) => (text === 'loopback' ? ['127.0.0.0/8', '::1'] : [text]))
    .map(parseRange)
    .filter((range) => range !== undefined)
  return (text) => {
    if (text === undefined) return hasLoopback
    const address = parseAddress(text)
    return address !== undefined && isInRanges(address, ranges)
  }
}
