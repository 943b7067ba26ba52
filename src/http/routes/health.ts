import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { nullable } from '../shapes.ts'

/** How the server is, asked at each request. */
export interface Health {
  readonly version: string
  /** Reads from the database. @throws when it cannot */
  readonly ping: () => Promise<void>
  readonly bell: () => { isWorking: boolean; error: string | null; overdueMs: number }
}

export const HealthShape = Type.Object(
  {
    status: Type.Enum(['healthy', 'unhealthy']),
    version: Type.String(),
    database: Type.String({ description: '`ok`, or what is wrong with it' }),
    scheduler: Type.Object({
      status: Type.Enum(['ok', 'failing']),
      error: nullable(Type.String()),
      lag_ms: Type.Integer({ description: 'How long the oldest notice has been overdue' }),
    }),
  },
  { $id: 'Health' },
)

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

  const text = (operationId: string, summary: string, words: { 200: string; 503?: string }) => ({
    operationId,
    summary,
    tags: ['health'],
    response: Object.fromEntries(
      Object.entries(words).map(([status, word]) => [
        status,
        { content: { 'text/plain': { schema: Type.Literal(word) } } },
      ]),
    ),
  })

  server.get('/livez', { schema: text('isAlive', 'Whether the process answers', { 200: 'Alive' }) }, async (_, reply) =>
    reply.type('text/plain').send('Alive'),
  )

  const readySchema = text('isReady', 'Whether the server can do its work', { 200: 'Ready', 503: 'Not ready' })
  server.get('/readyz', { schema: readySchema }, async (_, reply) => {
    const { status } = await look()
    const isReady = status === 'healthy'
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'Ready' : 'Not ready')
  })

  const healthSchema = {
    operationId: 'getHealth',
    summary: 'How the server is, as text or, by Accept, in JSON',
    tags: ['health'],
    response: {
      200: {
        content: { 'text/plain': { schema: Type.Literal('Healthy') }, 'application/json': { schema: HealthShape } },
      },
      503: {
        content: { 'text/plain': { schema: Type.Literal('Unhealthy') }, 'application/json': { schema: HealthShape } },
      },
    },
  } as const
  server.get('/v1/health', { schema: healthSchema }, async (request, reply) => {
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
