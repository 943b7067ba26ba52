import type { FastifyInstance } from 'fastify'
import Type from '#json-schema.ts'

/** The metrics of the server. */
export interface Metrics {
  /** Counts a response. @param route the pattern of the router, or `none` */
  readonly answered: (method: string, route: string, status: number, ms: number) => void
  /** Counts a refused request or connection. */
  readonly refused: (reason: 'pressure' | 'rate' | 'connections') => void
  readonly text: () => Promise<string>
}

/** Metrics in the text format of Prometheus (version 0.0.4). They need authentication, and say nothing about tasks. */
export function metricsRoutes(server: FastifyInstance, metrics: Metrics): void {
  const schema = {
    operationId: 'getMetrics',
    scope: 'read',
    adminOnly: true,
    summary: 'Get the metrics for Prometheus',
    tags: ['health'],
    response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
  } as const
  server.get('/metrics', { config: { bypassLimits: true }, schema }, async (_, reply) =>
    reply
      .type('text/plain; version=0.0.4; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(await metrics.text()),
  )
}
