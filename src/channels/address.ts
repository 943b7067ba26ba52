import { BlockList, isIP } from 'node:net'

/**
 * Classifies addresses for the egress policy, by IANA's registries of special-purpose addresses (RFC 6890, as of 2026). This file knows
 * no host names, and no rules about users.
 */
export type Range = 'public' | 'private' | 'never'

/** Whether an address is in a set of ranges. IPv4 embedded in IPv6 is unwrapped first, in both: see `plainOf`. */
export type Ranges = (plain: string) => boolean

/**
 * Link-local addresses (RFC 3927, RFC 4291 section 2.5.6), where clouds serve metadata and credentials; the other addresses of such
 * services; and addresses of no single host: «this network», multicast, broadcast.
 */
const isNever = toRanges([
  ...['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '0.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ...['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128', '::/128', 'ff00::/8'],
])

/** IPv4 that is not globally reachable. The documentation networks count too: a site that routes them does so privately. */
const isPrivateIPv4 = toRanges([
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], // RFC 1918
  '127.0.0.0/8', // loopback
  '100.64.0.0/10', // carrier-grade NAT, RFC 6598
  '192.0.0.0/24', // protocol assignments, RFC 6890 section 2.1
  ...['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'], // TEST-NETs, RFC 5737
  '192.88.99.0/24', // 6to4 relays, deprecated by RFC 7526
  '198.18.0.0/15', // benchmarks, RFC 2544
  '240.0.0.0/4', // reserved, RFC 1112 section 4
])

/**
 * IPv6 works the other way round: IANA allocates global unicast from this range alone, so that unknown addresses count as private. Unique
 * local fc00::/7, loopback, site-local fec0::/10, discard 100::/64, local NAT64 64:ff9b:1::/48 and SRv6 5f00::/16 are outside.
 */
const isUnicastIPv6 = toRanges(['2000::/3'])
const isPrivateIPv6 = toRanges([
  '2001::/23', // protocol assignments, RFC 2928: Teredo, ORCHID, benchmarks
  ...['2001:db8::/32', '3fff::/20'], // documentation, RFC 3849 and RFC 9637
])

/** @param address numeric. Anything else is `never`. */
export function rangeOf(address: string): Range {
  const plain = plainOf(address)
  const version = isIP(plain)
  if (version === 0 || isNever(plain)) return 'never'
  const isPublic = version === 4 ? !isPrivateIPv4(plain) : isUnicastIPv6(plain) && !isPrivateIPv6(plain)
  return isPublic ? 'public' : 'private'
}

/** @param cidrs well-formed. Each holds addresses of its own version only: in a single BlockList ::/0 would hold all of IPv4, too. */
export function toRanges(cidrs: readonly string[]): Ranges {
  const lists = { 4: new BlockList(), 6: new BlockList() }
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/')
    if (isIP(address) === 4) lists[4].addSubnet(address, Number(bits), 'ipv4')
    else lists[6].addSubnet(address, Number(bits), 'ipv6')
  }
  return (plain) => (isIP(plain) === 4 ? lists[4].check(plain, 'ipv4') : lists[6].check(plain, 'ipv6'))
}

/** IPv6 prefixes whose packets go to an embedded IPv4 address, and the group (of eight) at which that address begins. */
const embeddings: readonly { readonly prefix: readonly number[]; readonly at: number }[] = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], at: 6 }, // mapped, RFC 4291 section 2.5.5.2
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], at: 6 }, // NAT64, RFC 6052 section 2.1
  { prefix: [0x2002], at: 1 }, // 6to4, RFC 3056 section 2
]

/** An address without its zone (`fe80::1%eth0`; a BlockList knows no zones), and with embedded IPv4 unwrapped. */
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
  // A URL normalises the address: all in hexadecimal, and :: once at most.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return read(head)
  const [first, last] = [read(head), read(tail)]
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
}
