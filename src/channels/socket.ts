import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectEncrypted } from 'node:tls'
import { invalidMember } from '#core/problem.ts'
import { type EgressPolicy, lookupWithin, refuseOutOfReach } from './egress-policy.ts'
import { LimitedSocket, limitReading, type ReadBudget } from './read-budget.ts'

/**
 * TCP and TLS to servers of others, for the kinds whose client library can be handed a socket; `http-client.ts` is the same for HTTP.
 * Certificates are always checked, against the system's authorities of Node and those of NODE_EXTRA_CA_CERTS: there is no option to
 * look away, since what goes through holds a password.
 */
export interface Server {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly isEncrypted: boolean
  /** How far its name may lead. */
  readonly reach: EgressPolicy
}

/** What a URL of a broker says, as its clients write it: `amqps://user:password@host:5671/path`. */
export interface BrokerUrl extends Server {
  readonly user: string | undefined
  readonly password: string | undefined
  /** Decoded, without its first slash; undefined where there is none, which is not the same as an empty one. */
  readonly path: string | undefined
}

/** A scheme and its port, where the URL names none. */
type Scheme = readonly [name: string, port: number]

/** @throws Problem `invalid` for what is no host, or an address out of reach */
export function checkHost(host: string, member: string, reach: EgressPolicy): string {
  // Read as the host of an http URL, in which each spelling of an address becomes the same one: 0xa9fea9fe is 169.254.169.254.
  const hostname = URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}/`)?.hostname.replace(/^\[|\]$/g, '')
  if (!hostname || /[/?#@\\]/.test(host)) throw invalidMember(member, 'must name a host')
  refuseOutOfReach(hostname, member, reach)
  return hostname
}

/**
 * @param member of the options, to name in a refusal: `/url`
 * @throws Problem `invalid`, which never repeats the URL: it may hold a password
 */
export function parseBrokerUrl(
  text: string,
  member: string,
  reach: EgressPolicy,
  plain: Scheme,
  encrypted: Scheme,
): BrokerUrl {
  const url = URL.parse(text)
  const scheme = [plain, encrypted].find(([name]) => url?.protocol === `${name}:`)
  if (!url || !scheme)
    throw invalidMember(member, `must be a URL that begins with ${plain[0]}:// or ${encrypted[0]}://`)
  if (url.search || url.hash) throw invalidMember(member, 'must not hold a ? or #; in a password they are %3F and %23')
  const host = checkHost(url.hostname.replace(/^\[|\]$/g, ''), member, reach)
  const decode = (part: string) => {
    try {
      return part === '' ? undefined : decodeURIComponent(part)
    } catch {
      throw invalidMember(member, 'holds a % that is no escape; the sign itself is %25')
    }
  }
  return {
    host,
    port: url.port === '' ? scheme[1] : Number(url.port),
    isEncrypted: scheme === encrypted,
    reach,
    user: decode(url.username),
    password: decode(url.password),
    path: url.pathname.length > 1 ? decode(url.pathname.slice(1)) : undefined,
  }
}

/**
 * A socket that is connected, and for TLS has its certificate checked; destroyed when the signal aborts, or when the peer sends more than
 * the budget.
 * @throws Error with a `code`
 */
export function openSocket(server: Server, signal: AbortSignal, budget: ReadBudget): Promise<Socket> {
  return whenReady(dial(server, budget), server.isEncrypted ? 'secureConnect' : 'connect', signal, budget)
}

/**
 * The same for a client that may itself begin TLS on it (STARTTLS, NATS): its bytes are counted then, too.
 * @throws Error with a `code`
 */
export function openUpgradable(server: Omit<Server, 'isEncrypted'>, signal: AbortSignal, budget: ReadBudget) {
  return whenReady(new LimitedSocket(addressOf(server), budget), 'connect', signal)
}

const addressOf = ({ host, port, reach }: Omit<Server, 'isEncrypted'>) => ({ host, port, lookup: lookupWithin(reach) })

function dial(server: Server, budget: ReadBudget): Socket {
  const { host } = server
  if (server.isEncrypted) {
    const socket = new LimitedSocket(addressOf(server), budget)
    return connectEncrypted(isIP(host) ? { socket, host } : { socket, host, servername: host })
  }
  const socket = connect(addressOf(server))
  socket.setNoDelay(true)
  limitReading(socket, budget)
  return socket
}

function whenReady<S extends Duplex>(
  socket: S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
  budget?: ReadBudget,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const abort = () => socket.destroy()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => {
      signal.removeEventListener('abort', abort)
      reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    })
    // Stays, so that an error between two listeners of a library ends no process.
    socket.on('error', reject)
    socket.once(event, () => {
      budget?.settle()
      resolve(socket)
    })
    if (signal.aborted) abort()
  })
}
