import { BlockList, isIP } from 'node:net'

/** Whether what an address says of a request in X-Forwarded-* is believed. Without an address it came over a Unix socket. */
export type Trust = (address: string | undefined) => boolean

/** What is wrong with one that is to be trusted, if anything. */
export function proxyFault(text: string): string | undefined {
  if (text === 'loopback') return undefined
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  // A zone is of this machine's interfaces, and no part of what a proxy can write.
  if (family === 0 || address.includes('%') || more !== undefined)
    return 'must be an address like 192.0.2.7, a range of them like 10.0.0.0/8, or the word loopback'
  if (bits === '0') return 'is everybody, and whoever connects could claim any address'
  if (bits !== undefined && !(/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
    return 'has no length of a prefix that there is, like 10.0.0.0/8'
  return undefined
}

/**
 * Not by Fastify's words for ranges: to them a Unix socket, which is where proxies of this machine come from best, has no address
 * that could be trusted.
 * @param texts without a fault
 * @returns nothing where nobody is trusted
 */
export function trustOf(texts: readonly string[]): Trust | undefined {
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
    return isIP(bare) !== 0 && list.check(bare, familyOf(bare)) // IPv4 within IPv6 is IPv4 to it
  }
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
