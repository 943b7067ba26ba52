import { lookup as resolve } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ChannelRecord } from '#core/channel.ts'
import { invalidMember } from '#core/problem.ts'
import { plainOf, rangeOf, toRanges } from './address.ts'

/**
 * Where a channel may go. What opens connections (`http-client.ts`, `socket.ts`) cannot be called without. An address in numbers is judged
 * as the channel is opened; what a name leads to, each time that it is looked up to connect: it can be made to lead anywhere, also later.
 */
export interface EgressPolicy {
  /**
   * What keeps a channel from an address, or undefined.
   * @param address in numbers
   * @param name what led there, if anything did
   */
  blockReason(address: string, name?: string): BlockReason | undefined
}

export type BlockReason = 'never' | 'private'

/** By whose a channel is, and where it was made. The same reach is always the same value: a channel that has another is opened anew. */
export type EgressPolicyOf = (channel: Pick<ChannelRecord, 'userId' | 'source'>) => EgressPolicy

/** Of who administers the server: everywhere, but for addresses that nobody has any business with. */
export const anywhere: EgressPolicy = {
  blockReason: (address) => (rangeOf(address) === 'never' ? 'never' : undefined),
}

/**
 * Of who does not: what is public, and what is listed. The networks that this machine is connected to are not public, whatever their
 * addresses: in a home with IPv6 each thing has one that is, and it is the router that keeps others out, past which we are already.
 * @param listed host names, addresses and ranges that `isListable`
 */
export function publicAnd(
  listed: readonly string[],
  interfaces: typeof networkInterfaces = networkInterfaces,
): EgressPolicy {
  const entries = listed.map(parseListed)
  const names = new Set(entries.flatMap((entry) => entry?.name ?? []))
  const isListed = toRanges(entries.flatMap((entry) => entry?.range ?? []))
  return {
    blockReason(address, name) {
      const range = rangeOf(address)
      if (range === 'never') return 'never'
      if (name !== undefined && names.has(withoutRoot(name))) return undefined
      const plain = plainOf(address)
      if (isListed(plain)) return undefined
      return range === 'public' && !isNear(plain, interfaces()) ? undefined : 'private'
    },
  }
}

/** Whether an address is this machine's, or of a network that it is connected to. 50 µs, once a connection. */
function isNear(plain: string, interfaces: ReturnType<typeof networkInterfaces>): boolean {
  const connected = Object.values(interfaces).flatMap((addresses) => addresses ?? [])
  // A tunnel through which everything goes is no neighbourhood.
  return toRanges(connected.flatMap(({ cidr }) => (cidr && !cidr.endsWith('/0') ? [cidr] : [])))(plain)
}

/** Whether an entry of a list is a host name, an address or a range of addresses, each as one usually writes it. */
export const isListable = (text: string): boolean => parseListed(text) !== undefined

function parseListed(text: string): { readonly name?: string; readonly range?: string } | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0) {
    // As URLs have it: in small letters, other scripts in ASCII. What becomes an address by that (127.1) is one, badly written.
    const name = /^[^\s/?#@\\:[\]%]+$/.test(text) ? withoutRoot(URL.parse(`http://${text}/`)?.hostname ?? '') : ''
    return /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name) && isIP(name) === 0 ? { name } : undefined
  }
  const plain = plainOf(address)
  if (bits === undefined)
    return rangeOf(plain) === 'never' ? undefined : { range: `${plain}/${isIP(plain) === 4 ? 32 : 128}` }
  // A range of addresses that are IPv4 inside IPv6 is written as the one of IPv4 that it is.
  const isRange = more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
  return isRange && plain === address ? { range: text } : undefined
}

/** `nas.example.org.` is the same name. */
const withoutRoot = (name: string) => name.toLowerCase().replace(/\.$/, '')

const blockReasons: Readonly<Record<BlockReason, { readonly code: string; readonly where: string }>> = {
  never: { code: 'EFORBIDDEN', where: 'an address that is never spoken to' },
  private: {
    code: 'EPRIVATE',
    where:
      'an address of a private network, which only channels of administrators may reach, unless memberHosts lists it',
  },
}

/**
 * @param host a name, or an address as a URL has it, with or without brackets
 * @param member of the options, to name in the refusal: `/url`
 * @throws Problem `invalid` for an address that is out of reach. A name is none yet.
 */
export function refuseOutOfReach(host: string, member: string, reach: EgressPolicy): void {
  const address = host.replace(/^\[|\]$/g, '')
  const blockReason = isIP(address) === 0 ? undefined : reach.blockReason(address)
  if (blockReason) throw invalidMember(member, `is ${blockReasons[blockReason].where}`)
}

/** As dns.lookup, but a name of which a single address is out of reach is an error, with a code that `formatBlockReason` knows. */
export function lookupWithin(reach: EgressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      const blockReason = addresses
        .map(({ address }) => reach.blockReason(address, hostname))
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

/** What such an error says, in words that may be shown; undefined for any other. */
export function formatBlockReason(code: unknown): string | undefined {
  const blockReason = Object.values(blockReasons).find((one) => one.code === code)
  return blockReason && `its name leads to ${blockReason.where}`
}
