import type { Clock } from '#clock.ts'
import type { FaultKind, Storage } from '#store/engine/storage.ts'
import type { Db } from '#store/schema.ts'
import { readOverdueMs } from '#store/tasks.ts'
import { findUser } from '#store/users.ts'
import type { Loop } from './loop.ts'

/**
 * How the bell is, asked when somebody wants to know.
 *
 *   failing  a loop has met an error since it last worked, or has not looked for long
 *   late     both work, and yet something has been due for long and has not fired
 *   ok       neither
 *
 * That a receiver of notifications is away makes the bell neither late nor failing: it says nothing of this server.
 */
export interface ReminderHealth {
  readonly status: 'ok' | 'late' | 'failing'
  readonly error: string | null
  /** How long the oldest reminder has been due; as it was when the database last answered. */
  readonly overdueMs: number
  /** `ok`, or what is wrong with it. */
  readonly database: string
  /** The same in a word that names no file or host; null when it is ok. */
  readonly fault: FaultKind | 'away' | 'no-user' | null
}

const overdueBoundMs = 30_000
/** A loop looks once in `maxSleepMs` at least, and what it does meanwhile ends within 5 s or fails. */
const lookBoundMs = 15_000

const userMissing =
  'The built-in user is not in the database, and without login every request is answered as that user. Restart the server: it adds the user again.'

/** @returns never rejects */
export function watchHealth({
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
  /** The user that everybody is where there is no login: without it, every request is answered 401. */
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
      const { lookedAt, error: failure } = loop.health()
      if (failure !== undefined) error ??= String(failure)
      else if (clock.now() - lookedAt > clock.maxSleepMs + lookBoundMs) error ??= 'a loop has not looked for long'
    }
    const status = error !== null ? 'failing' : overdueMs >= overdueBoundMs ? 'late' : 'ok'
    return { status, error, overdueMs, database, fault }
  }
}
