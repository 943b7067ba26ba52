import ipaddr from 'ipaddr.js'
import { type Address, isInRanges, parseAddress, parseRange, type Range } from '#ip-address.ts'

/**
 * Classifies addresses for the egress policy, by IANA's registries of special-purpose addresses (RFC 6890, as of 2026). This file knows
 * no host names, and no rules about users.
 */
export type AddressClass = 'public' | 'private' | 'never'

/** @param cidrs well-formed */
const toRanges = (cidrs: readonly string[]) => cidrs.map((cidr) => parseRange(cidr) as Range)

/**
 * Link-local addresses (RFC 3927, RFC 4291 section 2.5.6), where clouds serve metadata and credentials; the other addresses of such
 * services; and addresses of no single host: «this network», multicast, broadcast.
 */
const neverRanges = toRanges([
  ...['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '0.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ...['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128', '::/128', 'ff00::/8'],
])

/** IPv4 that is not globally reachable. The documentation networks count too: a site that routes them does so privately. */
const privateIPv4 = toRanges([
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
const unicastIPv6 = toRanges(['2000::/3'])
const privateIPv6 = toRanges([
  '2001::/23', // protocol assignments, RFC 2928: Teredo, ORCHID, benchmarks
  ...['2001:db8::/32', '3fff::/20'], // documentation, RFC 3849 and RFC 9637
])

/** @param address numeric. Anything else is `never`. */
export function classify(address: string): AddressClass {
  const plain = parsePlain(address)
  if (!plain || isInRanges(plain, neverRanges)) return 'never'
  const isPublic =
    plain.kind() === 'ipv4'
      ? !isInRanges(plain, privateIPv4)
      : isInRanges(plain, unicastIPv6) && !isInRanges(plain, privateIPv6)
  return isPublic ? 'public' : 'private'
}

/** IPv6 prefixes whose packets go to an embedded IPv4 address, and the byte (of 16) at which that begins. Mapped addresses are IPv4 already. */
const embeddings: readonly { readonly ranges: readonly Range[]; readonly at: number }[] = [
  { ranges: toRanges(['64:ff9b::/96']), at: 12 }, // NAT64, RFC 6052 section 2.1
  { ranges: toRanges(['2002::/16']), at: 2 }, // 6to4, RFC 3056 section 2
]

/** Parses an address, and unwraps IPv4 that is embedded in IPv6. */
export function parsePlain(text: string): Address | undefined {
  const address = parseAddress(text)
  const embedding = address && embeddings.find(({ ranges }) => isInRanges(address, ranges))
  return embedding ? new ipaddr.IPv4(address.toByteArray().slice(embedding.at, embedding.at + 4)) : address
}
