import type { FastifyBaseLogger } from 'fastify'

/**
 * Failures by their kind. While the database is away each request fails, and a line with a stack for each would fill the disk, and hide
 * all else: the first of a kind is logged with its error, the others are counted, and the count is logged once a minute until the end.
 */
export interface FailureLog {
  note(cause: unknown, requestId: string): void
}

const windowMs = 60_000
/** More kinds at a time share one: a message may hold what differs in each. */
const maxKinds = 50
/** A message may hold a statement. */
const maxKindLength = 200

export function createFailureLog(log: Pick<FastifyBaseLogger, 'warn'>): FailureLog {
  const counts = new Map<string, number>()

  function endWindow(kind: string) {
    const count = counts.get(kind) ?? 0
    if (count === 0) return void counts.delete(kind)
    log.warn({ reason: kind, count, seconds: windowMs / 1_000 }, 'more requests failed for the same reason')
    counts.set(kind, 0)
    watch(kind)
  }

  const watch = (kind: string) => setTimeout(endWindow, windowMs, kind).unref()

  return {
    note(cause, requestId) {
      const own = String(cause).slice(0, maxKindLength)
      const kind = counts.has(own) || counts.size < maxKinds ? own : 'several'
      const count = counts.get(kind)
      if (count !== undefined) return void counts.set(kind, count + 1)
      counts.set(kind, 0)
      log.warn({ err: cause, reqId: requestId }, 'unavailable')
      watch(kind)
    },
  }
}

const logs = new WeakMap<object, FailureLog>()

/** That of a server: its requests share one logger. */
export function failureLogOf(log: FastifyBaseLogger): FailureLog {
  let found = logs.get(log)
  if (!found) {
    found = createFailureLog(log)
    logs.set(log, found)
  }
  return found
}
