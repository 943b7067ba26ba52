import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasCredential } from '#http/auth/session-cookie.ts'
import { rootOf } from './page.ts'

/** The paths of the app's screens. Others get its page too, with status 404. */
const screens = ['/', '/all', '/calendar', '/done', '/tasks/:id', '/notifications', '/channels', '/settings']

export interface WebApp {
  /** Responds with the page of the app to a browser that asks for an unknown page; returns undefined for every other request. */
  readonly notFound: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> | undefined
}

/**
 * The web app: one page for all screens, and its scripts and styles. The files are built by scripts/build-web.mjs. They are listed at the
 * first request (web-app-files.ts), so that they cost a start nothing.
 */
export function webAppRoutes(server: FastifyInstance, { isOpen }: { isOpen: boolean }): WebApp {
  const schema = { hide: true, scope: 'none' } as const
  const files = () => import('./web-app-files.ts')

  for (const path of screens)
    server.get(path, { schema }, async (request, reply) => {
      // An expired session is noticed by the app itself, at its first request.
      if (!isOpen && !hasCredential(request)) return reply.redirect(toSignIn(request))
      return (await files()).sendApp(request, reply)
    })
  server.get<{ Params: { name: string } }>('/assets/:name', { schema }, async (request, reply) =>
    (await files()).sendAsset(request.params.name, request, reply),
  )
  return {
    notFound(request, reply) {
      const isPage = /\btext\/html\b/.test(request.headers.accept ?? '')
      if (!isPage || !/^(GET|HEAD)$/.test(request.method) || request.url.startsWith('/v1/')) return undefined
      return files().then(({ sendApp }) => sendApp(request, reply.code(404)))
    },
  }
}

/** The sign-in page leads back. Its parameter is relative to the root as well. */
function toSignIn(request: FastifyRequest): string {
  const here = request.url.replace(/^\/+/, '')
  return `${rootOf(request) || './'}sign-in${here === '' ? '' : `?return_to=${encodeURIComponent(here)}`}`
}
