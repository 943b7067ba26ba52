import type { Clock } from '#clock.ts'
import { readOverdueMs } from '#store/alarms.ts'
import type { FaultKind, Storage } from '#store/engine/storage.ts'
import type { Db } from '#store/schema.ts'
import { findUser } from '#store/users.ts'
import type { Loop } from './loop.ts'

/**
 * The health of the loops, on request.
 *
 *   failing  a loop has met an error since it last succeeded, or has not checked for long
 *   late     all loops work, and yet a reminder has been due for long without firing
 *   ok       neither
 *
 * A receiver that is unreachable changes nothing here: it says nothing about this server.
 */
export interface ReminderHealth {
  readonly status: 'ok' | 'late' | 'failing'
  readonly error: string | null
  /** How long the oldest reminder has been due, as of the last answer of the database. */
  readonly overdueMs: number
  /** `ok`, or the problem. */
  readonly database: string
  /** The problem as a code that names no file or host; null when there is none. */
  readonly fault: FaultKind | 'away' | 'no-user' | null
}

const overdueBoundMs = 30_000
/** A loop checks at least every `maxSleepMs`, and its work ends within 5 s or fails. */
const checkBoundMs = 15_000

const userMissing =
  'The built-in user is not in the database, and without login every request is answered as that user. Restart the server: it adds the user again.'

/** @returns a check that never rejects */
export function createHealthCheck({
  db,
  storage,
  clock,
  loops,
  requiredUserId = null,
}: {
  db: Db
  storage: Pick<Storage, 'fault' | 'noteFailure'>
  clock: Clock
  loops: readonly Pick<Loop, 'health'>[]
  /** The user of all requests on a server without login: without it, every request is answered 401. */
  requiredUserId?: number | null
}): () => Promise<ReminderHealth> {
  let overdueMs = 0

  return async () => {
    let away: string | null = null
    let isUserMissing = false
    try {
      overdueMs = await readOverdueMs(db, clock.now())
      if (requiredUserId !== null) {
        const user = await findUser(db, requiredUserId)
        isUserMissing = !user || user.removedAt !== null
      }
    } catch (error) {
      storage.noteFailure(error)
      away = (error as Error).message
    }
    // On a full disk every read works.
    const stored = storage.fault()
    const database = stored?.detail ?? away ?? (isUserMissing ? userMissing : 'ok')
    const fault = stored?.kind ?? (away !== null ? 'away' : isUserMissing ? 'no-user' : null)
    let error: string | null = null
    for (const loop of loops) {
      const { checkedAt, error: failure } = loop.health()
      if (failure !== undefined) error ??= String(failure)
      else if (clock.now() - checkedAt > clock.maxSleepMs + checkBoundMs) error ??= 'a loop has not run for long'
    }
    const status = error !== null ? 'failing' : overdueMs >= overdueBoundMs ? 'late' : 'ok'
    return { status, error, overdueMs, database, fault }
  }
}
