import { Problem } from '#core/problem.ts'
import type { Dialect } from './dialects/dialect.ts'

/** What a failure of the database means to the one who asked: `unavailable`. Anything else is answered as it is. */
export function asProblem(dialect: Dialect, error: unknown): unknown {
  if (error instanceof Problem) return error
  const what = dialect.classify(error)
  if (what === 'duplicate' || what === 'other') return error
  const detail = what === 'full' ? 'The disk is full: nothing was changed.' : 'The database cannot be reached just now.'
  return new Problem('unavailable', detail, { cause: error, retryAfterMs: 1_000 })
}
