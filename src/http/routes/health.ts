import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { nullable } from '#api/schemas/common.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import Type from '#json-schema.ts'

/** The health of the server, checked at each request. */
export interface Health {
  readonly version: string
  /** Never rejects. */
  readonly look: () => Promise<{
    /** `ok`, or the fault. */
    database: string
    /** The fault in a word for everybody, or null. */
    fault: string | null
    /** `late`: the loops work, but a reminder is overdue. */
    status: 'ok' | 'late' | 'failing'
    error: string | null
    overdueMs: number
  }>
}

export const HealthShape = Type.Object(
  {
    status: Type.Enum(['healthy', 'degraded', 'unhealthy'], {
      description:
        '`degraded`: everything works, but reminders are late. `unhealthy`: the database is away, damaged or stores nothing, or reminders fail',
    }),
    version: Type.String(),
    database: Type.String({
      description:
        '`ok`, or the fault and what to do. Callers who have not signed in get one word: `away`, `full`, `read-only`, `failed`, `damaged`, `moved` or `no-user`',
    }),
    scheduler: Type.Object({
      status: Type.Enum(['ok', 'late', 'failing']),
      error: nullable(Type.String({ description: 'Why it fails; null for callers who have not signed in' })),
      lag_ms: Type.Integer({ description: 'How long the oldest notification has been overdue' }),
    }),
  },
  { $id: 'Health' },
)

/**
 * `/livez`: the process answers. `/readyz`: the server can work; a damaged page is no reason to take it out of service. `/v1/health`: the same
 * for clients of the original, as text or, by Accept, as JSON. `degraded` is 200, and `Healthy` in text: taking a late server out of service
 * would make it later. A fault may name hosts and users of the database, so only callers who have signed in get its text.
 */
export function healthRoutes(
  server: FastifyInstance,
  {
    health,
    authenticator,
    isOpen,
  }: { health: Health; authenticator: Pick<Authenticator, 'identify'>; isOpen: boolean },
): void {
  /** A caller who cannot be identified at the moment counts as unknown. */
  const isKnown = async (request: FastifyRequest, reply: FastifyReply) =>
    isOpen || (await authenticator.identify(request, reply).catch(() => null)) !== null
  // One check at a time: each is a query, and reminders would wait behind many of them for a connection of the pool.
  let looking: ReturnType<Health['look']> | undefined

  async function look() {
    looking ??= health.look().finally(() => {
      looking = undefined
    })
    const reminders = await looking
    const isWorking = reminders.fault === null && reminders.status !== 'failing'
    const isReady = isWorking || (reminders.fault === 'damaged' && reminders.status !== 'failing')
    const status = !isWorking ? 'unhealthy' : reminders.status === 'late' ? 'degraded' : 'healthy'
    return { isWorking, isReady, status, reminders } as const
  }

  const text = (operationId: string, summary: string, words: { 200: string; 503?: string }) => ({
    operationId,
    scope: 'none' as const,
    summary,
    tags: ['health'],
    response: Object.fromEntries(
      Object.entries(words).map(([status, word]) => [
        status,
        { content: { 'text/plain': { schema: Type.Literal(word) } } },
      ]),
    ),
  })

  const config = { bypassLimits: true } as const
  const aliveSchema = text('isAlive', 'Check that the process answers', { 200: 'Alive' })
  server.get('/livez', { config, schema: aliveSchema }, async (_, reply) => reply.type('text/plain').send('Alive'))

  const readySchema = text('isReady', 'Check that the server can work', { 200: 'Ready', 503: 'Not ready' })
  server.get('/readyz', { config, schema: readySchema }, async (_, reply) => {
    const { isReady } = await look()
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'Ready' : 'Not ready')
  })

  const healthSchema = {
    operationId: 'getHealth',
    scope: 'none',
    summary: 'Get the health of the server',
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
  server.get('/v1/health', { config, schema: healthSchema }, async (request, reply) => {
    const isJson = request.headers.accept?.includes('application/json') ?? false
    // In parallel: each may wait for a database that does not answer.
    const [{ isWorking, status, reminders }, isShown] = await Promise.all([look(), isJson && isKnown(request, reply)])
    reply.code(isWorking ? 200 : 503).header('cache-control', 'no-store')
    if (!isJson) return reply.type('text/plain').send(isWorking ? 'Healthy' : 'Unhealthy')
    const { database, error } = isShown ? reminders : { database: reminders.fault ?? 'ok', error: null }
    return reply.type('application/json').send(
      JSON.stringify({
        status,
        version: health.version,
        database,
        scheduler: { status: reminders.status, error, lag_ms: reminders.overdueMs },
      }),
    )
  })
}
