import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'

const allMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

/**
 * Answers 405 with the Allow header where a resource does not support a method (RFC 9110 section 15.5.6). Call it before routes are added.
 * @returns adds the routes that answer 405; call it after all others
 */
export function collectMethods(server: FastifyInstance): () => void {
  const methodsByUrl = new Map<string, Set<string>>()
  server.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    methodsByUrl.set(url, methods)
  })
  return () => {
    for (const [url, methods] of [...methodsByUrl]) {
      const allowed = [...methods].sort()
      const others = allMethods.filter((method) => !methods.has(method))
      if (others.length === 0) continue
      const detail = `This resource supports ${allowed.join(', ')}.`
      server.route({
        method: others,
        url,
        schema: { hide: true, scope: 'none' },
        handler: async () => {
          throw new Problem('method-not-allowed', detail, { allowed })
        },
      })
    }
  }
}
