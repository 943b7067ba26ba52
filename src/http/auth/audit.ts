import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { redactPath } from '#core/redact.ts'
import { type AuditEntry, insertAudit } from '#store/audit.ts'
import type { Transact } from '#store/engine/transact.ts'

/**
 * The audit log: which caller did what to which object, and from where.
 *
 *   operations of scope admin, and sign-ins ── written before the response, whether done or rejected
 *   other writes, where there is a login ───── written in batches after the response: a crash may lose the last ones
 *
 * Of reads only the export of another user is recorded; a dry run is a read. A request that fails authentication is recorded only where it signs in:
 * otherwise any client could fill the log.
 */
const authenticationOperations = new Set(['signIn', 'acceptInvitation'])
const sensitiveOperations = new Set([...authenticationOperations, 'signOut', 'exportUser', 'actByLink'])

export interface Audit {
  /** Resolves when all entries are written. */
  flush(): Promise<void>
}

export function recordAudit(
  server: FastifyInstance,
  { transact, clock, log, isOpen }: { transact: Transact; clock: Clock; log: Logger; isOpen: boolean },
): Audit {
  const pending: AuditEntry[] = []
  let writing: Promise<void> = Promise.resolve()
  let isWritingSoon = false

  function writeSoon() {
    if (isWritingSoon) return
    isWritingSoon = true
    setImmediate(() => {
      isWritingSoon = false
      writing = writing.then(write)
    })
  }

  async function write() {
    const batch = pending.splice(0)
    if (batch.length === 0) return
    try {
      await transact((tx) => insertAudit(tx, batch))
    } catch (error) {
      // The operations are done or rejected, and cannot be taken back. So the entries go to the log; without a stack for each batch.
      log.error({ reason: String(error), entries: batch }, 'writing to the audit log failed')
    }
  }

  server.addHook('onSend', (request, reply, payload, done) => {
    const { operationId, scope: declared } = request.routeOptions.schema ?? {}
    if (operationId === undefined || (!request.caller && !authenticationOperations.has(operationId)))
      return done(null, payload)
    if (isDryRun(request) && reply.statusCode < 400) return done(null, payload)
    const scope = request.needed ?? declared
    const isSensitive = sensitiveOperations.has(operationId) || (scope === 'admin' && isUnsafe(request))
    const isSmallWrite = !isOpen && scope === 'write' && reply.statusCode < 400
    if (!isSensitive && !isSmallWrite) return done(null, payload)
    pending.push(toEntry(request, reply, operationId, clock.now()))
    writeSoon()
    if (!isSensitive) return done(null, payload)
    setImmediate(() => writing.then(() => done(null, payload)))
  })

  return {
    async flush() {
      while (pending.length > 0 || isWritingSoon) await new Promise((resolve) => setImmediate(resolve))
      await writing
    },
  }
}

/** A request that counts what it would delete is a read. @see DryRun in src/api/schemas/request.ts */
function isDryRun({ query, routeOptions }: FastifyRequest): boolean {
  const { properties } = (routeOptions.schema?.querystring ?? {}) as { properties?: { dry_run?: unknown } }
  return properties?.dry_run !== undefined && (query as { dry_run?: unknown }).dry_run === 'true'
}

const isUnsafe = ({ method }: FastifyRequest) => method !== 'GET' && method !== 'HEAD'

function toEntry(
  { caller, url, ip, id }: FastifyRequest,
  reply: FastifyReply,
  operation: string,
  at: number,
): AuditEntry {
  // Location names what was created. That of a redirect may hold anything.
  const location = reply.statusCode < 300 ? reply.getHeader('location') : undefined
  const path = typeof location === 'string' && location.startsWith('/') ? location : redactPath(url)
  return {
    at,
    userId: caller?.userId ?? null,
    who: caller?.name ?? null,
    byKind: caller?.by?.kind ?? null,
    byName: caller?.by?.name ?? null,
    operation,
    object: caller?.by?.object ?? path.slice(0, 500),
    status: reply.statusCode,
    address: ip ?? null,
    requestId: id,
  }
}
