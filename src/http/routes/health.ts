import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { nullable } from '#api/schemas/common.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import Type from '#json-schema.ts'

/** How the server is, asked at each request. */
export interface Health {
  readonly version: string
  /** Never rejects. */
  readonly look: () => Promise<{
    /** `ok`, or what is wrong with it. */
    database: string
    /** The same in a word that anybody may read; null when it is ok. */
    fault: string | null
    /** Of the bell: `late` means that it works, and something has been due for long all the same. */
    status: 'ok' | 'late' | 'failing'
    error: string | null
    overdueMs: number
  }>
}

export const HealthShape = Type.Object(
  {
    status: Type.Enum(['healthy', 'degraded', 'unhealthy'], {
      description:
        '`degraded`: everything works, and yet the bell is late. `unhealthy`: the database is away, damaged or stores nothing, or the bell fails',
    }),
    version: Type.String(),
    database: Type.String({
      description:
        '`ok`, or what is wrong with it and what to do. Callers who have not signed in get one word: `away`, `full`, `read-only`, `failed`, `damaged`, `moved` or `no-user`',
    }),
    scheduler: Type.Object({
      status: Type.Enum(['ok', 'late', 'failing']),
      error: nullable(Type.String({ description: 'Why it fails; null to who has not signed in' })),
      lag_ms: Type.Integer({ description: 'How long the oldest notification has been overdue' }),
    }),
  },
  { $id: 'Health' },
)

/**
 * `/livez`: the process answers. `/readyz`: it can do its work; a damaged page is no reason to take the rest out of service. `/v1/health`: the same for the original's clients, as text or,
 * by Accept, in JSON. Degraded is 200, and `Healthy` in text: who knows two words only, or takes a server that is late out of service,
 * would make it later. What exactly is wrong may name hosts and users of the database: it is told to who may come in.
 */
export function healthRoutes(
  server: FastifyInstance,
  {
    health,
    authenticator,
    isOpen,
  }: { health: Health; authenticator: Pick<Authenticator, 'identify'>; isOpen: boolean },
): void {
  /** Whoever cannot be known just now is a stranger. */
  const isKnown = async (request: FastifyRequest, reply: FastifyReply) =>
    isOpen || (await authenticator.identify(request, reply).catch(() => null)) !== null
  // One at a time, however many ask: each is a query, and in a pool's line the bell would stand behind all of them.
  let looking: ReturnType<Health['look']> | undefined

  async function look() {
    looking ??= health.look().finally(() => {
      looking = undefined
    })
    const bell = await looking
    const isWorking = bell.fault === null && bell.status !== 'failing'
    const isReady = isWorking || (bell.fault === 'damaged' && bell.status !== 'failing')
    const status = !isWorking ? 'unhealthy' : bell.status === 'late' ? 'degraded' : 'healthy'
    return { isWorking, isReady, status, bell } as const
  }

  const text = (operationId: string, summary: string, words: { 200: string; 503?: string }) => ({
    operationId,
    needs: 'nothing' as const,
    summary,
    tags: ['health'],
    response: Object.fromEntries(
      Object.entries(words).map(([status, word]) => [
        status,
        { content: { 'text/plain': { schema: Type.Literal(word) } } },
      ]),
    ),
  })

  const config = { isUrgent: true } as const
  const aliveSchema = text('isAlive', 'Whether the process answers', { 200: 'Alive' })
  server.get('/livez', { config, schema: aliveSchema }, async (_, reply) => reply.type('text/plain').send('Alive'))

  const readySchema = text('isReady', 'Whether the server can do its work', { 200: 'Ready', 503: 'Not ready' })
  server.get('/readyz', { config, schema: readySchema }, async (_, reply) => {
    const { isReady } = await look()
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'Ready' : 'Not ready')
  })

  const healthSchema = {
    operationId: 'getHealth',
    needs: 'nothing',
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
  server.get('/v1/health', { config, schema: healthSchema }, async (request, reply) => {
    const isJson = request.headers.accept?.includes('application/json') ?? false
    // Side by side: each waits as long for a database that does not answer.
    const [{ isWorking, status, bell }, isTold] = await Promise.all([look(), isJson && isKnown(request, reply)])
    reply.code(isWorking ? 200 : 503).header('cache-control', 'no-store')
    if (!isJson) return reply.type('text/plain').send(isWorking ? 'Healthy' : 'Unhealthy')
    const { database, error } = isTold ? bell : { database: bell.fault ?? 'ok', error: null }
    return reply.type('application/json').send(
      JSON.stringify({
        status,
        version: health.version,
        database,
        scheduler: { status: bell.status, error, lag_ms: bell.overdueMs },
      }),
    )
  })
}
