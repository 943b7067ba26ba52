import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { Problem } from '#core/problem.ts'

/**
 * Who may speak to a server without login: programs of this machine, and its own pages. A web page elsewhere can make a
 * browser here send requests; what it cannot do is choose their Host, Origin or Sec-Fetch-Site headers.
 */
export function createGuard({ isLoopback, allowedHosts }: { isLoopback: boolean; allowedHosts: readonly string[] }) {
  const names = new Set(['localhost', '127.0.0.1', '[::1]', ...allowedHosts.map((name) => name.toLowerCase())])

  /** @throws Problem `forbidden`, `malformed` */
  return function guard(request: FastifyRequest): void {
    const { host, origin, 'sec-fetch-site': site } = request.headers
    if (request.raw.httpVersion !== '1.0' || host !== undefined) checkHost(request, host)
    if (isLoopback) {
      // DNS rebinding: a name of somebody else's that was made to point at 127.0.0.1.
      const name = host?.replace(/:\d+$/, '').toLowerCase()
      // Not an address: what was typed as 127.0.0.2 was not made to point there by anybody.
      if (name === undefined || !(names.has(name) || isLoopbackAddress(name)))
        throw new Problem(
          'forbidden',
          `This server answers on this machine's own names, not on «${name ?? ''}». Others are named by --allowed-hosts.`,
        )
      if (forwarded.some((header) => request.headers[header] !== undefined))
        throw new Problem(
          'forbidden',
          'The request was forwarded by a proxy, but this server has no login: it answers programs of this machine only.',
        )
    }
    // CSRF: a form or script of another site. GET and HEAD have no effects, and their answers cannot be read from there.
    if (request.method === 'GET' || request.method === 'HEAD') return
    if (origin !== undefined && !isOwn(origin, host))
      throw new Problem('forbidden', 'The request comes from a page of another site.')
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new Problem('forbidden', 'The request comes from a page of another site.')
  }
}

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'] as const

/** Node hands over the first of several Host headers; which one somebody before us went by is anybody's guess. */
function checkHost(request: FastifyRequest, host: string | undefined) {
  const { rawHeaders } = request.raw
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++
  if (hosts !== 1 || !host) throw new Problem('malformed', 'A request has exactly one Host header.')
}

function isOwn(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin)
  return url !== null && url.host === host?.toLowerCase()
}

/** Whether only this machine can reach an address to listen on. */
export function isLoopbackAddress(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
