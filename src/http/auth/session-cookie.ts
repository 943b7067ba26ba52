import type { FastifyRequest } from 'fastify'
import { sessionMs } from '#actions/sign-in.ts'
import { hostCookie } from './cookies.ts'

const session = hostCookie('duebell')

/** Returns whether a request has a credential, valid or not. A browser also sends the cookies of other programs on this host. */
export const hasCredential = (request: FastifyRequest): boolean =>
  request.headers.authorization !== undefined || session.read(request) !== undefined

/** @param secret of a session; empty to delete the cookie */
export const sessionCookie = (secret: string): string => session.set(secret, secret === '' ? 0 : sessionMs)

/**
 * A token takes precedence over a session: a client sends it on purpose. Sessions are for this server's own pages. A request from another
 * origin, which `corsOrigins` may allow, needs a token. A server without login ignores sessions: a browser also sends the cookies of
 * other ports, and those of the time when there was a login.
 */
export function secretOf(request: FastifyRequest, isOpen: boolean): string | undefined {
  const { authorization, origin } = request.headers
  if (authorization !== undefined) return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? ''
  const secret = isOpen ? undefined : session.read(request)
  if (!secret?.startsWith('dbs_')) return undefined
  return origin === undefined || URL.parse(origin)?.host === request.host.toLowerCase() ? secret : undefined
}
