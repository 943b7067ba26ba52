import { Problem } from '#core/problem.ts'
import type { ErrorClass } from '#store/dialects/dialect.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { storageOf } from './storage.ts'

const away = 'The database cannot be reached just now.'

/** For any caller, who need not be signed in: no path, host or table. The log and /v1/health say the rest. */
const details: Partial<Record<ErrorClass, string>> = {
  busy: away,
  gone: away,
  refused: away,
  full: 'The disk is full: nothing was changed.',
  readonly: 'The database is read-only just now: nothing was changed.',
  failed: 'The storage of the database failed: nothing was changed.',
  broken: 'The storage of the database failed: nothing was changed.',
  damaged:
    'The database is damaged, and what was asked for cannot be read or changed. The log and /v1/health tell an administrator how to repair it.',
}

const retryAfterMs = 1_000

/** What a failure of the database means to the one who asked: `unavailable`. Anything else is answered as it is. */
export function asProblem(db: Db, error: unknown): unknown {
  if (error instanceof Problem) return error
  const what = dialectOf(db).classify(error)
  const detail = details[what]
  if (detail === undefined) return error
  storageOf(db)?.noteFailure(error)
  // A damaged page does not heal: another try makes no sense.
  return new Problem('unavailable', detail, { cause: error, ...(what !== 'damaged' && { retryAfterMs }) })
}
