import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { Problem } from '#core/problem.ts'
import type { Trust } from '#http/listen/trusted-proxies.ts'
import { createHostCheck } from './host-check.ts'

export interface OriginCheckOptions {
  /** There is no login: each request that is answered may do everything. */
  readonly isOpen: boolean
  /** Whoever reaches it may do all, so only programs of this machine may: it is on loopback, and without login. */
  readonly isForMachine: boolean
  /** On a Unix socket, which has no name. */
  readonly isSocket: boolean
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: ReadonlySet<string>
  /** Nobody where it is absent. */
  readonly trusts?: Trust | undefined
}

/**
 * Who may speak to a server: where there is no login, programs of this machine and its own pages. A web page elsewhere can make a
 * browser here send requests; what it cannot do is choose their Host, Origin or Sec-Fetch-Site headers.
 */
export function createOriginCheck({
  isOpen,
  isForMachine,
  isSocket,
  allowedHosts,
  allowedOrigins,
  trusts,
}: OriginCheckOptions) {
  const isOwnHost = createHostCheck(allowedHosts)

  /** @throws Problem `forbidden` */
  function refuseForeign(host: string | undefined, { socket }: FastifyRequest) {
    if (isOwnHost(host, socket.localAddress)) return
    const name = host?.replace(/:\d+$/, '').toLowerCase() ?? ''
    throw new Problem(
      'forbidden',
      `This server answers on this machine's own names, not on «${name}». Others are named by --allowed-hosts.`,
    )
  }

  /** @throws Problem `forbidden`, `malformed` */
  return function guard(request: FastifyRequest): void {
    const { host, origin, 'sec-fetch-site': site } = request.headers
    if (request.raw.httpVersion !== '1.0' || host !== undefined) checkHost(request, host)
    // DNS rebinding threatens every server without login, wherever it listens. No browser can be made to speak to a Unix socket.
    if (isOpen && !isSocket) refuseForeign(host, request)
    if (isForMachine && forwarded.some((header) => request.headers[header] !== undefined))
      throw new Problem(
        'forbidden',
        'The request was forwarded by a proxy, but this server has no login: it answers programs of this machine only.',
      )
    // A proxy may replace Host by its own name for this server. The browser's is then in X-Forwarded-Host, trusted or not. Neither
    // header makes up for the other: a page of a rebound name cannot choose Host, but can add an X-Forwarded-Host.
    const names = request.headers['x-forwarded-host']
    if (isOpen && !isSocket && names !== undefined)
      for (const name of [names].flat().join().split(',')) refuseForeign(name.trim(), request)
    const isByProxy = trusts?.(request.socket.remoteAddress) === true
    if (isByProxy) checkForwarded(request)
    if (origin !== undefined && allowedOrigins.has(origin)) return
    // GET and HEAD have no effects, and a page of another site cannot read their answers; how long they take, it can measure, and so
    // find words in titles by searching. Only a link that a person follows may come from there (W3C Fetch Metadata, section 2).
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowedLink(request))
        throw new Problem('forbidden', 'The request comes from a page of another site.')
      return
    }
    // CSRF: a form or script of another site.
    if (origin !== undefined && !isOwn(origin, request, isByProxy))
      throw new Problem('forbidden', 'The request comes from a page of another site.')
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new Problem('forbidden', 'The request comes from a page of another site.')
  }
}

/** A whole page that is opened; a frame inside a page of another site is none. */
function isFollowedLink({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'] as const

/** Node hands over the first of several Host headers; which one somebody before us went by is anybody's guess. */
function checkHost(request: FastifyRequest, host: string | undefined) {
  const { rawHeaders } = request.raw
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++
  if (hosts !== 1 || !host) throw new Problem('malformed', 'A request has exactly one Host header.')
}

/** A proxy that is believed does not say what cannot be: `request.ip` and `request.protocol` are taken from it as they are. */
function checkForwarded(request: FastifyRequest) {
  if (request.ip !== undefined && isIP(request.ip) === 0)
    throw new Problem('malformed', 'X-Forwarded-For names something that is no address.')
  if (request.protocol !== 'http' && request.protocol !== 'https')
    throw new Problem('malformed', 'X-Forwarded-Proto is http or https.')
}

/**
 * Whether an origin is that of this very server, as its caller addressed it. The scheme counts where it is known: anybody on the way
 * can make a page of http. It is not known where a proxy that is not trusted, or does not tell it, may have taken TLS off.
 */
function isOwn(origin: string, request: FastifyRequest, isByProxy: boolean): boolean {
  const url = URL.parse(origin)
  if (url === null || request.host === '') return false
  const isKnown = request.protocol === 'https' || (isByProxy && request.headers['x-forwarded-proto'] !== undefined)
  if (!isKnown) return url.host === request.host.toLowerCase()
  return url.origin === URL.parse(`${request.protocol}://${request.host}`)?.origin
}
