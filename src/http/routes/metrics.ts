import type { FastifyInstance } from 'fastify'
import Type from '#json-schema.ts'

/** The server in figures. */
export interface Metrics {
  /** Of a request that was answered. @param route as the router has it, or `none` */
  readonly answered: (method: string, route: string, status: number, ms: number) => void
  /** Of one that was not looked at, or of a connection. */
  readonly refused: (reason: 'pressure' | 'rate' | 'connections') => void
  readonly text: () => Promise<string>
}

/** For Prometheus, in its text format (version 0.0.4). Behind the same door as all else, and like health it says nothing of tasks. */
export function metricsRoutes(server: FastifyInstance, metrics: Metrics): void {
  const schema = {
    operationId: 'getMetrics',
    needs: 'read',
    adminOnly: true,
    summary: 'The server in figures, for Prometheus',
    tags: ['health'],
    response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
  } as const
  server.get('/metrics', { config: { isUrgent: true }, schema }, async (_, reply) =>
    reply
      .type('text/plain; version=0.0.4; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(await metrics.text()),
  )
}
