import { BlockList, isIP } from 'node:net'

/** Returns whether X-Forwarded-* headers from an address are trusted. A Unix socket has no address. */
export type Trust = (address: string | undefined) => boolean

/** Returns the fault of an entry of `trustProxy`, if it has one. */
export function proxyFault(text: string): string | undefined {
  if (text === 'loopback') return undefined
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  // A zone names an interface of this machine, and is no part of a proxy's address.
  if (family === 0 || address.includes('%') || more !== undefined)
    return 'must be an address like 192.0.2.7, a range of them like 10.0.0.0/8, or the word loopback'
  if (bits === '0') return 'trusts every address, so any client could claim any other'
  if (bits !== undefined && !(/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
    return 'must have a valid prefix length, like 10.0.0.0/8'
  return undefined
}

/**
 * Rejected: Fastify's own ranges. In them a Unix socket, the best way for a proxy on this machine, has no address to trust.
 * @param texts without a fault
 * @returns undefined where no proxy is trusted
 */
export function createTrust(texts: readonly string[]): Trust | undefined {
  if (texts.length === 0) return undefined
  const list = new BlockList()
  for (const text of texts.flatMap((text) => (text === 'loopback' ? ['127.0.0.0/8', '::1'] : [text]))) {
    const [address = '', bits] = text.split('/')
    if (bits === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(bits), familyOf(address))
  }
  const hasLoopback = texts.includes('loopback')
  return (address) => {
    if (address === undefined) return hasLoopback
    const bare = address.replace(/%.*$/, '')
    return isIP(bare) !== 0 && list.check(bare, familyOf(bare)) // BlockList reads an IPv4-mapped IPv6 address as IPv4
  }
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
