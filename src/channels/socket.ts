import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectEncrypted } from 'node:tls'
import { invalidMember } from '#core/problem.ts'
import { checkAddress, createLookup, type EgressPolicy } from './egress-policy.ts'
import { connectLimited, handshakeBytes, LimitedSocket, type ReadBudget } from './read-budget.ts'

/**
 * Opens TCP and TLS connections for client libraries that accept a socket; `http-client.ts` does the same for HTTP. Certificates are always
 * verified, against the authorities of Node and of NODE_EXTRA_CA_CERTS. There is no option to skip that, since the connections carry
 * passwords.
 */
export interface Server {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly isEncrypted: boolean
  /** The addresses to which its name may resolve. */
  readonly egress: EgressPolicy
}

/** The parts of a broker's URL, in the usual form: `amqps://user:password@host:5671/path`. */
export interface BrokerUrl extends Server {
  readonly user: string | undefined
  readonly password: string | undefined
  /** Decoded, without its first slash. Undefined is not the same as empty. */
  readonly path: string | undefined
}

/** A scheme and its default port. */
type Scheme = readonly [name: string, port: number]

/** @throws Problem `invalid` unless it is a host, and not a blocked address */
export function checkHost(host: string, member: string, egress: EgressPolicy): string {
  // Parsed as the host of an http URL, which normalises every spelling of an address: 0xa9fea9fe is 169.254.169.254.
  const hostname = URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}/`)?.hostname.replace(/^\[|\]$/g, '')
  if (!hostname || /[/?#@\\]/.test(host)) throw invalidMember(member, 'must name a host')
  checkAddress(hostname, member, egress)
  return hostname
}

/**
 * @param member the option to name in an error: `/url`
 * @throws Problem `invalid` that never repeats the URL, which may hold a password
 */
export function parseBrokerUrl(
  text: string,
  member: string,
  egress: EgressPolicy,
  plain: Scheme,
  encrypted: Scheme,
): BrokerUrl {
  const url = URL.parse(text)
  const scheme = [plain, encrypted].find(([name]) => url?.protocol === `${name}:`)
  if (!url || !scheme)
    throw invalidMember(member, `must be a URL that begins with ${plain[0]}:// or ${encrypted[0]}://`)
  if (url.search || url.hash) throw invalidMember(member, 'must not hold a ? or #; in a password they are %3F and %23')
  const host = checkHost(url.hostname.replace(/^\[|\]$/g, ''), member, egress)
  const decode = (part: string) => {
    try {
      return part === '' ? undefined : decodeURIComponent(part)
    } catch {
      throw invalidMember(member, 'contains a % that starts no escape; write %25 for the character itself')
    }
  }
  return {
    host,
    port: url.port === '' ? scheme[1] : Number(url.port),
    isEncrypted: scheme === encrypted,
    egress,
    user: decode(url.username),
    password: decode(url.password),
    path: url.pathname.length > 1 ? decode(url.pathname.slice(1)) : undefined,
  }
}

/**
 * A connected socket, for TLS with a verified certificate. It is destroyed when the signal aborts, or when the peer exceeds the budget.
 * @throws Error with a `code`
 */
export function openSocket(server: Server, signal: AbortSignal, budget: ReadBudget): Promise<Socket> {
  return whenReady(dial(server, budget), server.isEncrypted ? 'secureConnect' : 'connect', signal)
}

/**
 * The same for a client that may start TLS itself (STARTTLS, NATS): bytes are still counted then.
 * @throws Error with a `code`
 */
export function openUpgradable(server: Omit<Server, 'isEncrypted'>, signal: AbortSignal, budget: ReadBudget) {
  return whenReady(new LimitedSocket(addressOf(server), budget), 'connect', signal)
}

const addressOf = ({ host, port, egress }: Omit<Server, 'isEncrypted'>) => ({
  host,
  port,
  lookup: createLookup(egress),
})

function dial(server: Server, budget: ReadBudget): Socket {
  const { host } = server
  if (server.isEncrypted) {
    const socket = new LimitedSocket(addressOf(server), budget)
    const encrypted = connectEncrypted(isIP(host) ? { socket, host } : { socket, host, servername: host })
    return encrypted.once('secureConnect', () => budget.release(handshakeBytes))
  }
  return connectLimited(addressOf(server), budget)
}

function whenReady<S extends Duplex>(socket: S, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const abort = () => socket.destroy()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => {
      signal.removeEventListener('abort', abort)
      reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    })
    // This listener stays, so that an error between two listeners of a library does not end the process.
    socket.on('error', reject)
    socket.once(event, () => resolve(socket))
    if (signal.aborted) abort()
  })
}
