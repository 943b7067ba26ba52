import { readdirSync } from 'node:fs'
import type { FastifySchema, RouteOptions } from 'fastify'
import { pino } from 'pino'
import { createServer, type ServerDeps } from '#http/server.ts'

/** An operation of the API, as its route declares it. */
export interface Route {
  readonly method: string
  /** The path in the syntax of the router: `/v1/tasks/:id`. */
  readonly url: string
  readonly schema: FastifySchema & { readonly operationId: string }
}

/**
 * Every operation, in the order of the server; routes that declare that they are none, such as `GET /docs`; and routes that declare
 * neither. The server is created and never used, so none of its parts is real.
 */
export function readRoutes(): { routes: Route[]; hidden: string[]; undescribed: string[] } {
  const routes: Route[] = []
  const hidden: string[] = []
  const undescribed: string[] = []
  const onRoute = ({ method, url, schema }: RouteOptions) => {
    for (const one of [method].flat()) {
      if (one === 'HEAD') continue // Fastify adds a HEAD to each GET
      const operationId = schema?.operationId
      if (schema?.hide) hidden.push(`${one} ${url}`)
      else if (operationId === undefined) undescribed.push(`${one} ${url}`)
      else routes.push({ method: one.toLowerCase(), url, schema: { ...schema, operationId } })
    }
  }
  const lists = { allowedHosts: [], trustProxy: [], corsOrigins: [] }
  const provider = { oidc: {} as never, name: '', newUsers: false }
  const parts = {
    ctx: {} as never,
    provider,
    log: pino({ level: 'silent' }),
    isOpen: true,
    isLocalOnly: true,
    isSocket: false,
    ...lists,
    onRoute,
  }
  createServer(parts as Partial<ServerDeps> as ServerDeps)
  return { routes, hidden, undescribed }
}

/** Every schema with a name that `wire/` or `http/` exports: routes may refer to one that they do not contain. */
export async function namedShapes(): Promise<Map<string, object>> {
  const folder = new URL('../../src/', import.meta.url)
  const shapes = new Map<string, object>()
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/^(api|wire|http)\/.*\.ts$/.test(file) || /\.test\.ts$/.test(file)) continue
    const exported: Record<string, unknown> = await import(new URL(file, folder).href)
    for (const one of Object.values(exported))
      if (typeof one === 'object' && one !== null && '$id' in one) shapes.set(String(one.$id), one)
  }
  return shapes
}
