import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { redactPath } from '#core/redact.ts'
import { type AuditEntry, insertAudit } from '#store/audit.ts'
import type { Transact } from '#store/engine/transact.ts'

/**
 * Writes down who did what to which object, and from where.
 *
 *   what needs the scope admin, and whatever one comes in by ── written before it is answered, done or refused
 *   other writes, where there is a login ────────────────────── written together, after the answer: a crash may lose the last of them
 *
 * Reads are not here, but for one: the export of another user. Nor is who was not let in at all, but where one comes in: that would be
 * written by anybody.
 */
const authenticationOperations = new Set(['signIn', 'acceptInvitation'])
const sensitiveOperations = new Set([...authenticationOperations, 'signOut', 'exportUser', 'actByLink'])

export interface Audit {
  /** Resolves when all that was noted is written. */
  settle(): Promise<void>
}

export function keepAudit(
  server: FastifyInstance,
  { transact, clock, log, isOpen }: { transact: Transact; clock: Clock; log: Logger; isOpen: boolean },
): Audit {
  const noted: AuditEntry[] = []
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
    const batch = noted.splice(0)
    if (batch.length === 0) return
    try {
      await transact((tx) => insertAudit(tx, batch))
    } catch (error) {
      // What it was about is done, or was refused: that cannot be taken back for it.
      // The entries belong in the log then; a stack with each batch does not.
      log.error({ reason: String(error), entries: batch }, 'what was done could not be written to the audit log')
    }
  }

  server.addHook('onSend', (request, reply, payload, done) => {
    const { operationId, needs: needsAll } = request.routeOptions.schema ?? {}
    if (operationId === undefined || (!request.caller && !authenticationOperations.has(operationId)))
      return done(null, payload)
    const needs = request.needed ?? needsAll
    const isSensitive = sensitiveOperations.has(operationId) || (needs === 'admin' && isUnsafe(request))
    const isSmallWrite = !isOpen && needs === 'write' && reply.statusCode < 400
    if (!isSensitive && !isSmallWrite) return done(null, payload)
    noted.push(toEntry(request, reply, operationId, clock.now()))
    writeSoon()
    if (!isSensitive) return done(null, payload)
    setImmediate(() => writing.then(() => done(null, payload)))
  })

  return {
    async settle() {
      while (noted.length > 0 || isWritingSoon) await new Promise((resolve) => setImmediate(resolve))
      await writing
    },
  }
}

const isUnsafe = ({ method }: FastifyRequest) => method !== 'GET' && method !== 'HEAD'

function toEntry(
  { caller, url, ip, id }: FastifyRequest,
  reply: FastifyReply,
  operation: string,
  at: number,
): AuditEntry {
  // What was made has its place in the answer. Where a browser is sent on to is another matter, and may hold anything.
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
