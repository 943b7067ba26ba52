import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { Problem } from '#core/problem.ts'
import type { Trust } from '#http/listen/trusted-proxies.ts'
import { createHostCheck } from './host-check.ts'

export interface OriginCheckOptions {
  /** There is no login: every request may do everything. */
  readonly isOpen: boolean
  /** There is no login and the server is on loopback: only programs on this machine may use it. */
  readonly isLocalOnly: boolean
  /** The server listens on a Unix socket, which has no host name. */
  readonly isSocket: boolean
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: ReadonlySet<string>
  /** Absent where no proxy is trusted. */
  readonly trusts?: Trust | undefined
}

/**
 * Rejects requests that pages of other sites make a browser send, and with them DNS rebinding and CSRF. Such a page cannot choose the Host,
 * Origin and Sec-Fetch-Site headers. Without login only programs on this machine and the server's own pages are accepted.
 */
export function createOriginCheck({
  isOpen,
  isLocalOnly,
  isSocket,
  allowedHosts,
  allowedOrigins,
  trusts,
}: OriginCheckOptions) {
  const isOwnHost = createHostCheck(allowedHosts)

  /** @throws Problem `forbidden` */
  function requireOwnHost(host: string | undefined, { socket }: FastifyRequest) {
    if (isOwnHost(host, socket.localAddress)) return
    const name = host?.replace(/:\d+$/, '').toLowerCase() ?? ''
    throw new Problem(
      'forbidden',
      `This server answers only to the names of its machine, not to «${name}». Allow others with --allowed-hosts.`,
    )
  }

  /** @throws Problem `forbidden`, `malformed` */
  return function check(request: FastifyRequest): void {
    const { host, origin, 'sec-fetch-site': site } = request.headers
    if (request.raw.httpVersion !== '1.0' || host !== undefined) checkHost(request, host)
    // DNS rebinding threatens every server without login, wherever it listens. No page can make a browser connect to a Unix socket.
    if (isOpen && !isSocket) requireOwnHost(host, request)
    if (isLocalOnly && forwarded.some((header) => request.headers[header] !== undefined))
      throw new Problem(
        'forbidden',
        'The request was forwarded by a proxy. This server has no login, so it answers only programs on its own machine.',
      )
    // A proxy may replace Host by its own name for this server. The browser's is then in X-Forwarded-Host, trusted or not. Both
    // headers must be valid: a page of a rebound name cannot choose Host, but can add an X-Forwarded-Host.
    const names = request.headers['x-forwarded-host']
    if (isOpen && !isSocket && names !== undefined)
      for (const name of [names].flat().join().split(',')) requireOwnHost(name.trim(), request)
    const isProxied = trusts?.(request.socket.remoteAddress) === true
    if (isProxied) checkForwarded(request)
    if (origin !== undefined && allowedOrigins.has(origin)) return
    // GET and HEAD have no effects, and a page of another site cannot read their responses. But it can measure how long they take, and so
    // find words in titles by searching. Only a link that a user follows may come from another site (W3C Fetch Metadata, section 2).
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowedLink(request))
        throw new Problem('forbidden', crossSite)
      return
    }
    // A form or script of another site (CSRF).
    if (origin !== undefined && !isOwn(origin, request, isProxied)) throw new Problem('forbidden', crossSite)
    if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new Problem('forbidden', crossSite)
  }
}

/** Returns whether the request opens a whole page, and no frame inside a page of another site. */
function isFollowedLink({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}

const crossSite = 'The request comes from a page of another site.'

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'] as const

/** Node takes the first of several Host headers; a proxy before this server may have taken another. */
function checkHost(request: FastifyRequest, host: string | undefined) {
  const { rawHeaders } = request.raw
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++
  if (hosts !== 1 || !host) throw new Problem('malformed', 'A request must have exactly one Host header.')
}

/** Validates the headers of a trusted proxy: `request.ip` and `request.protocol` are taken from them unchecked. */
function checkForwarded(request: FastifyRequest) {
  if (request.ip !== undefined && isIP(request.ip) === 0)
    throw new Problem('malformed', 'X-Forwarded-For must contain IP addresses.')
  if (request.protocol !== 'http' && request.protocol !== 'https')
    throw new Problem('malformed', 'X-Forwarded-Proto must be http or https.')
}

/**
 * Returns whether an origin is this server, as the client addressed it. The scheme counts where it is known, since any network node can
 * inject a page into http. It is unknown where an untrusted proxy, or one that sends no X-Forwarded-Proto, may terminate TLS.
 */
function isOwn(origin: string, request: FastifyRequest, isProxied: boolean): boolean {
  const url = URL.parse(origin)
  if (url === null || request.host === '') return false
  const isKnown = request.protocol === 'https' || (isProxied && request.headers['x-forwarded-proto'] !== undefined)
  if (!isKnown) return url.host === request.host.toLowerCase()
  return url.origin === URL.parse(`${request.protocol}://${request.host}`)?.origin
}
