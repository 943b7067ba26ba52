import { Problem } from '#core/problem.ts'
import type { ErrorClass } from '#store/dialects/dialect.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { storageOf } from './storage.ts'

const unreachable = 'The database cannot be reached at the moment.'

/** Shown to any caller, signed in or not: no path, host or table. The log and /v1/health have the details. */
const details: Partial<Record<ErrorClass, string>> = {
  busy: unreachable,
  gone: unreachable,
  refused: unreachable,
  full: 'The disk is full: nothing was changed.',
  readonly: 'The database is read-only at the moment: nothing was changed.',
  failed: 'The storage of the database failed: nothing was changed.',
  broken: 'The storage of the database failed: nothing was changed.',
  damaged:
    'The database is damaged, and this part of it cannot be read or changed. The log and /v1/health tell an administrator how to repair it.',
}

const retryAfterMs = 1_000

/** The Problem `unavailable` for a failure of the database. Other errors stay as they are. */
export function asProblem(db: Db, error: unknown): unknown {
  if (error instanceof Problem) return error
  const what = dialectOf(db).classify(error)
  const detail = details[what]
  if (detail === undefined) return error
  storageOf(db)?.noteFailure(error)
  // A damaged page does not repair itself: a retry makes no sense.
  return new Problem('unavailable', detail, { cause: error, ...(what !== 'damaged' && { retryAfterMs }) })
}
