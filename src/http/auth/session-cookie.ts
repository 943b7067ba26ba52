import type { FastifyRequest } from 'fastify'
import { sessionMs } from '#actions/sign-in.ts'
import { hostCookie } from './cookies.ts'

const session = hostCookie('duebell')

/** Whether somebody says who he is, rightly or not. A browser also sends the cookies of other programs on this host. */
export const bringsSecret = (request: FastifyRequest): boolean =>
  request.headers.authorization !== undefined || session.read(request) !== undefined

/** @param secret of a session; empty to be rid of it */
export const sessionCookie = (secret: string): string => session.set(secret, secret === '' ? 0 : sessionMs)

/**
 * A token goes before a session: who sends one means it. A session is for pages of our own: a request from another's origin, which an
 * allow-list may let through, is nobody's until it says who it is. Nor does a server without login look at any: a browser also sends it
 * those of other ports, and of the time when there was a login.
 */
export function secretOf(request: FastifyRequest, isOpen: boolean): string | undefined {
  const { authorization, origin } = request.headers
  if (authorization !== undefined) return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? ''
  const secret = isOpen ? undefined : session.read(request)
  if (!secret?.startsWith('dbs_')) return undefined
  return origin === undefined || URL.parse(origin)?.host === request.host.toLowerCase() ? secret : undefined
}
