import type { FastifyInstance } from 'fastify'

/** How the server is, asked at each request. */
export interface Health {
  readonly version: string
  /** Reads from the database. @throws when it cannot */
  readonly ping: () => Promise<void>
  readonly bell: () => { isWorking: boolean; error: string | null; overdueMs: number }
}

/**
 * `/livez`: the process answers. `/readyz`: it can do its work. `/v1/health`: the same for the original's clients, as text or,
 * by Accept, in JSON.
 */
export function healthRoutes(server: FastifyInstance, health: Health): void {
  async function look() {
    const database = await health.ping().then(
      () => 'ok',
      (error: Error) => error.message,
    )
    const bell = health.bell()
    const isHealthy = database === 'ok' && bell.isWorking
    return { status: isHealthy ? 'healthy' : 'unhealthy', version: health.version, database, bell } as const
  }

  server.get('/livez', async (_, reply) => reply.type('text/plain').send('Alive'))

  server.get('/readyz', async (_, reply) => {
    const { status } = await look()
    const isReady = status === 'healthy'
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'Ready' : 'Not ready')
  })

  server.get('/v1/health', async (request, reply) => {
    const report = await look()
    reply.code(report.status === 'healthy' ? 200 : 503).header('cache-control', 'no-store')
    if (!request.headers.accept?.includes('application/json'))
      return reply.type('text/plain').send(report.status === 'healthy' ? 'Healthy' : 'Unhealthy')
    const { isWorking, error, overdueMs } = report.bell
    return reply.type('application/json').send(
      JSON.stringify({
        status: report.status,
        version: report.version,
        database: report.database,
        scheduler: { status: isWorking ? 'ok' : 'failing', error, lag_ms: overdueMs },
      }),
    )
  })
}
