import { lookup as resolve } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ChannelRecord } from '#core/channel.ts'
import { invalidMember } from '#core/problem.ts'
import { type Address, isInRanges, parseRange, type Range } from '#ip-address.ts'
import { classify, parsePlain } from './address.ts'

/**
 * The addresses that a channel may connect to. `http-client.ts` and `socket.ts`, which open connections, require it. A numeric address is
 * checked when the channel is opened. A name is checked at each look-up for a connection, since its owner can point it anywhere at any time.
 */
export interface EgressPolicy {
  /**
   * Why a channel may not connect to an address, or undefined when it may.
   * @param address numeric
   * @param name the host name that resolved to it, if any
   */
  blockReason(address: string, name?: string): BlockReason | undefined
}

export type BlockReason = 'never' | 'private'

/** The policy by a channel's user and source. Equal policies are the same object: a channel is reopened when its policy is another. */
export type EgressPolicyOf = (channel: Pick<ChannelRecord, 'userId' | 'source'>) => EgressPolicy

/** The policy of administrators: everywhere except the addresses that are never allowed. */
export const anywhere: EgressPolicy = {
  blockReason: (address) => (classify(address) === 'never' ? 'never' : undefined),
}

/**
 * The policy of everyone else: public addresses, and the listed ones. Networks that this machine is attached to do not count as public,
 * whatever their addresses. In a home with IPv6 each device has a public address, and the router keeps strangers out: the server is
 * already behind it.
 * @param listed host names, addresses and ranges that `isListable` accepts
 */
export function publicOrListed(
  listed: readonly string[],
  interfaces: typeof networkInterfaces = networkInterfaces,
): EgressPolicy {
  const entries = listed.map(parseListed)
  const names = new Set(entries.flatMap((entry) => entry?.name ?? []))
  const ranges = entries.flatMap((entry) => (entry?.range ? [entry.range] : []))
  return {
    blockReason(address, name) {
      const addressClass = classify(address)
      const plain = parsePlain(address)
      if (!plain || addressClass === 'never') return 'never'
      if (name !== undefined && names.has(withoutRoot(name))) return undefined
      if (isInRanges(plain, ranges)) return undefined
      return addressClass === 'public' && !isNear(plain, interfaces()) ? undefined : 'private'
    },
  }
}

/** Whether an address belongs to this machine or to an attached network. Takes 50 µs, once a connection. */
function isNear(plain: Address, interfaces: ReturnType<typeof networkInterfaces>): boolean {
  const connected = Object.values(interfaces).flatMap((addresses) => addresses ?? [])
  // A tunnel that carries all traffic is no local network.
  const ranges = connected.map(({ cidr }) => parseRange(cidr ?? '')).filter((range) => range !== undefined)
  return isInRanges(
    plain,
    ranges.filter(([, bits]) => bits > 0),
  )
}

/** Whether an entry is a host name, an address or a range of addresses, in its usual spelling. */
export const isListable = (text: string): boolean => parseListed(text) !== undefined

function parseListed(text: string): { readonly name?: string; readonly range?: Range } | undefined {
  const range = parseRange(text)
  if (!range) {
    // URL normalises a name to lower case and ASCII. A name that becomes an address by that (127.1) is a misspelt address.
    const name = /^[^\s/?#@\\:[\]%]+$/.test(text) ? withoutRoot(URL.parse(`http://${text}/`)?.hostname ?? '') : ''
    return /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name) && isIP(name) === 0 ? { name } : undefined
  }
  const [address = ''] = text.split('/')
  const plain = parsePlain(address) as Address
  if (address === text)
    return classify(address) === 'never' ? undefined : { range: [plain, plain.kind() === 'ipv4' ? 32 : 128] }
  // A range of IPv4 embedded in IPv6 is written as the range of IPv4.
  const isEmbedded = plain.kind() === 'ipv4' && address.includes(':')
  return isEmbedded ? undefined : { range }
}

/** `nas.example.org.` is the same name. */
const withoutRoot = (name: string) => name.toLowerCase().replace(/\.$/, '')

const blockReasons: Readonly<Record<BlockReason, { readonly code: string; readonly where: string }>> = {
  never: { code: 'EFORBIDDEN', where: 'an address that is never allowed' },
  private: {
    code: 'EPRIVATE',
    where:
      'an address of a private network, which only channels of administrators may reach, unless memberHosts lists it',
  },
}

/**
 * @param host a name, or an address as in a URL, with or without brackets
 * @param member the option to name in the error: `/url`
 * @throws Problem `invalid` for a blocked address. A name passes here; its addresses are checked when it is looked up.
 */
export function checkAddress(host: string, member: string, egress: EgressPolicy): void {
  const address = host.replace(/^\[|\]$/g, '')
  const blockReason = isIP(address) === 0 ? undefined : egress.blockReason(address)
  if (blockReason) throw invalidMember(member, `is ${blockReasons[blockReason].where}`)
}

/** Like dns.lookup, but a name with even one blocked address is an error, with a code that `formatBlockReason` knows. */
export function createLookup(egress: EgressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      const blockReason = addresses
        .map(({ address }) => egress.blockReason(address, hostname))
        .find((one) => one !== undefined)
      if (!first || blockReason) {
        const { code } = blockReasons[blockReason ?? 'never']
        return callback(Object.assign(new Error('out of reach'), { code }), '', 0)
      }
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/** Such an error as text that may be shown; undefined for any other error. */
export function formatBlockReason(code: unknown): string | undefined {
  const blockReason = Object.values(blockReasons).find((one) => one.code === code)
  return blockReason && `its name leads to ${blockReason.where}`
}
