import type { Scope } from './scope.ts'

/**
 * The errors that a caller can get. A closed list: each interface (HTTP, later CLI and CalDAV) maps each kind once, and the compiler
 * finds a missing one. No HTTP in here.
 */
export type ProblemKind =
  | 'malformed' // cannot be parsed, or a bad query parameter
  | 'invalid' // well-formed, but not valid
  | 'not-found'
  | 'gone' // existed, and is no longer kept
  | 'method-not-allowed'
  | 'stale' // changed by another client since it was read
  | 'conflict'
  | 'too-large'
  | 'unsupported-media-type'
  | 'unauthorized'
  | 'forbidden'
  | 'rate-limited'
  | 'unavailable'

/** An error of one member of the input. `at` is a JSON pointer into the body (RFC 6901) or the name of a parameter. */
export interface Fault {
  readonly at: { readonly pointer: string } | { readonly parameter: string }
  readonly detail: string
}

export interface ProblemExtras {
  readonly faults?: readonly Fault[]
  /** For `stale`: the current representation. */
  readonly current?: unknown
  /** For `not-found` of several: the ids that do not exist. */
  readonly missing?: readonly number[]
  /** For `unavailable` and `rate-limited`: milliseconds after which another try makes sense. */
  readonly retryAfterMs?: number
  /** For `method-not-allowed`: the allowed methods. */
  readonly allowed?: readonly string[]
  /** For `forbidden` for want of scope alone: the scope that would allow it. */
  readonly scope?: Scope
  readonly cause?: unknown
}

export class Problem extends Error {
  readonly kind: ProblemKind
  readonly extras: ProblemExtras

  constructor(kind: ProblemKind, detail: string, extras: ProblemExtras = {}) {
    super(detail, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.name = 'Problem'
    this.kind = kind
    this.extras = extras
  }
}

/** `invalid`, for one member of the body. */
export function invalidMember(pointer: string, detail: string): Problem {
  return new Problem('invalid', `${memberName(pointer)} ${detail}`, { faults: [{ at: { pointer }, detail }] })
}

/** `malformed`, for one parameter: of the query, or a header. */
export function malformedParameter(parameter: string, detail: string, message = `${parameter} ${detail}`): Problem {
  return new Problem('malformed', message, { faults: [{ at: { parameter }, detail }] })
}

/** Puts the position of an item in front of the pointers of its faults, and into the message. @throws what `make` throws */
export function withPointerPrefix<T>(prefix: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof Problem) || !error.extras.faults) throw error
    const faults = error.extras.faults.map(({ at, detail }) => ({
      at: 'pointer' in at ? { pointer: prefix + at.pointer } : at,
      detail,
    }))
    throw new Problem(error.kind, formatFaults(faults), { ...error.extras, faults })
  }
}

/** A JSON pointer as a readable name: `tags.3`. */
export function memberName(pointer: string): string {
  return pointer === '' ? 'the body' : pointer.slice(1).replaceAll('/', '.')
}

/** The known word nearest to a mistyped one, or undefined when none is near (a Levenshtein distance of at most a third). */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  if (word.length > 64) return undefined
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1)
    }
    previous = row
  }
  return previous[b.length] as number
}

/** All faults in one sentence: `title must not be empty; tags must have at most 20 items`. */
export function formatFaults(faults: readonly Fault[]): string {
  return faults
    .slice(0, 5)
    .map(({ at, detail }) => `${'pointer' in at ? memberName(at.pointer) : at.parameter} ${detail}`)
    .join('; ')
}
