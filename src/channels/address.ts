import { BlockList, isIP } from 'node:net'

/**
 * What an address is to somebody who is to be kept out of a private network, by the registries of IANA for special purposes (RFC 6890,
 * as they were in 2026). Knows nothing of names, and nothing of who may go where.
 */
export type Range = 'public' | 'private' | 'never'

/** An address in a set of ranges, both without what surrounds IPv4 in IPv6: see `plainOf`. */
export type Ranges = (plain: string) => boolean

/**
 * Link-local (RFC 3927, RFC 4291 section 2.5.6), where clouds keep their metadata and with it credentials; the other addresses
 * of such services; and what is nobody's: «this network», multicast, broadcast.
 */
const isNever = toRanges([
  ...['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '0.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ...['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128', '::/128', 'ff00::/8'],
])

/** Of IPv4, what is not reachable from everywhere. The documentation's networks, too: who routes them does so for himself. */
const isPrivateIPv4 = toRanges([
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], // RFC 1918
  '127.0.0.0/8', // loopback
  '100.64.0.0/10', // between a carrier and its customers, RFC 6598
  '192.0.0.0/24', // protocol assignments, RFC 6890 section 2.1
  ...['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'], // TEST-NETs, RFC 5737
  '192.88.99.0/24', // relays of 6to4, which are no more, RFC 7526
  '198.18.0.0/15', // benchmarks, RFC 2544
  '240.0.0.0/4', // reserved, RFC 1112 section 4
])

/**
 * Of IPv6 it is the other way round: only this has been given out to be reachable, so that what is not known yet is private. Unique
 * local fc00::/7, loopback, site-local fec0::/10, discard 100::/64, local NAT64 64:ff9b:1::/48 and SRv6 5f00::/16 are outside.
 */
const isUnicastIPv6 = toRanges(['2000::/3'])
const isPrivateIPv6 = toRanges([
  '2001::/23', // protocol assignments, RFC 2928: Teredo, ORCHID, benchmarks
  ...['2001:db8::/32', '3fff::/20'], // documentation, RFC 3849 and RFC 9637
])

/** @param address in numbers. What is none is `never`. */
export function rangeOf(address: string): Range {
  const plain = plainOf(address)
  const version = isIP(plain)
  if (version === 0 || isNever(plain)) return 'never'
  const isPublic = version === 4 ? !isPrivateIPv4(plain) : isUnicastIPv6(plain) && !isPrivateIPv6(plain)
  return isPublic ? 'public' : 'private'
}

/** @param cidrs well-formed; each holds addresses of its own version alone: in a BlockList ::/0 holds all of IPv4, too */
export function toRanges(cidrs: readonly string[]): Ranges {
  const lists = { 4: new BlockList(), 6: new BlockList() }
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/')
    if (isIP(address) === 4) lists[4].addSubnet(address, Number(bits), 'ipv4')
    else lists[6].addSubnet(address, Number(bits), 'ipv6')
  }
  return (plain) => (isIP(plain) === 4 ? lists[4].check(plain, 'ipv4') : lists[6].check(plain, 'ipv6'))
}

/** What stands before an IPv4 address in one of IPv6 whose packets go there, and at which of the eight groups it begins. */
const embeddings: readonly { readonly prefix: readonly number[]; readonly at: number }[] = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], at: 6 }, // mapped, RFC 4291 section 2.5.5.2
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], at: 6 }, // NAT64, RFC 6052 section 2.1
  { prefix: [0x2002], at: 1 }, // 6to4, RFC 3056 section 2
]

/** An address without its zone (`fe80::1%eth0`, of which a BlockList knows nothing), and IPv4 inside IPv6 as what it is. */
export function plainOf(address: string): string {
  const [bare = ''] = address.split('%')
  if (isIP(bare) !== 6) return bare
  const groups = groupsOf(bare)
  const found = embeddings.find(({ prefix }) => prefix.every((group, i) => group === groups[i]))
  if (!found) return bare
  const [high = 0, low = 0] = groups.slice(found.at)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  // As a URL writes it: in hexadecimal to its end, and :: once at most.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return read(head)
  const [first, last] = [read(head), read(tail)]
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
}
