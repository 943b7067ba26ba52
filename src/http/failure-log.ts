import type { FastifyBaseLogger } from 'fastify'

/**
 * Logs failures by kind. While the database is unavailable every request fails, and a line with a stack for each would fill the disk and
 * hide all else. So the first of a kind is logged with its error. The others are counted, and the count is logged once a minute until they
 * end.
 */
export interface FailureLog {
  record(cause: unknown, requestId: string): void
}

const windowMs = 60_000
/** Further kinds share one, since messages may differ in every failure. */
const maxKinds = 50
/** A message may contain a whole statement. */
const maxKindLength = 200

export function createFailureLog(log: Pick<FastifyBaseLogger, 'warn'>): FailureLog {
  const counts = new Map<string, number>()

  function endWindow(kind: string) {
    const count = counts.get(kind) ?? 0
    if (count === 0) return void counts.delete(kind)
    log.warn({ reason: kind, count, seconds: windowMs / 1_000 }, 'more requests failed for the same reason')
    counts.set(kind, 0)
    startWindow(kind)
  }

  const startWindow = (kind: string) => setTimeout(endWindow, windowMs, kind).unref()

  return {
    record(cause, requestId) {
      const message = String(cause).slice(0, maxKindLength)
      const kind = counts.has(message) || counts.size < maxKinds ? message : 'several'
      const count = counts.get(kind)
      if (count !== undefined) return void counts.set(kind, count + 1)
      counts.set(kind, 0)
      log.warn({ err: cause, reqId: requestId }, 'unavailable')
      startWindow(kind)
    },
  }
}

const logs = new WeakMap<object, FailureLog>()

/** Returns the failure log of a server, whose requests share one logger. */
export function failureLogOf(log: FastifyBaseLogger): FailureLog {
  const existing = logs.get(log)
  if (existing) return existing
  const created = createFailureLog(log)
  logs.set(log, created)
  return created
}
