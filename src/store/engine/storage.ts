import type { Dialect, ErrorClass } from '#store/dialects/dialect.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'

/**
 * Whether the database stores what is written. A successful read does not show that: on a full disk every read works.
 *
 *   a write fails (full, read-only, failed) ──▶ fault ──▶ a write is stored ──▶ no fault
 *   a page cannot be read (damaged) ──────────▶ fault, until the server restarts
 *   the file is not at its path (moved) ──────▶ fault, while that is so
 */
export interface Storage {
  /** The worst current fault, or null. */
  fault(): StorageFault | null
  /** Takes any error of the database and ignores those of other classes. */
  noteFailure(error: unknown): void
  /** Called after a transaction that wrote something. */
  noteStored(): void
  /** Whether the last write failed. */
  isWriteFailing(): boolean
}

export const faultKinds = ['moved', 'full', 'read-only', 'failed', 'damaged'] as const
export type FaultKind = (typeof faultKinds)[number]

export interface StorageFault {
  readonly kind: FaultKind
  /** The error and what to do. It may name files and hosts. */
  readonly detail: string
}

const kindOf: Partial<Record<ErrorClass, FaultKind>> = {
  full: 'full',
  readonly: 'read-only',
  failed: 'failed',
  broken: 'failed',
  damaged: 'damaged',
}

interface StorageLog {
  info(text: string): void
  error(text: string): void
}

export function createStorage(dialect: Dialect, log: StorageLog, now: () => number): Storage {
  let writing: (StorageFault & { readonly since: number; count: number }) | null = null
  let damaged: StorageFault | null = null
  let lastMoved: string | null = null

  function movedFault(): StorageFault | null {
    const detail = dialect.file?.fault() ?? null
    if (detail !== null && detail !== lastMoved) log.error(detail)
    if (detail === null && lastMoved !== null) log.info('The database file is at its path again.')
    lastMoved = detail
    return detail === null ? null : { kind: 'moved', detail }
  }

  return {
    fault: () => movedFault() ?? writing ?? damaged,
    noteFailure(error) {
      const kind = kindOf[dialect.classify(error)]
      if (kind === undefined) return
      const detail = `${(error as Error).message}. ${dialect.remedy(error)}`
      if (kind === 'damaged') {
        if (!damaged) log.error(`The database is damaged: ${detail}`)
        damaged ??= { kind, detail }
      } else if (writing?.kind === kind) writing.count++
      else {
        writing = { kind, detail, since: now(), count: 1 }
        log.error(`The database cannot store anything: ${detail}`)
      }
    },
    noteStored() {
      if (!writing) return
      const seconds = Math.round((now() - writing.since) / 1_000)
      log.info(`The database stores writes again; ${writing.count} transactions failed in ${seconds} s.`)
      writing = null
    },
    isWriteFailing: () => writing !== null,
  }
}

const storages = new WeakMap<object, Storage>()

/** For `openStore` alone. */
export function attachStorage(db: Db, storage: Storage): void {
  storages.set(db.getExecutor().adapter, storage)
}

/** Undefined while the database is being opened. */
export function storageOf(db: Db): Storage | undefined {
  return storages.get(db.getExecutor().adapter)
}

/** Whether the error is a damaged page, row or index. The rest of the database may be healthy. */
export const isDamage = (db: Db, error: unknown): boolean => dialectOf(db).classify(causeOf(error)) === 'damaged'

/** The error of the database behind a Problem. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.name === 'Problem' && error.cause !== undefined ? error.cause : error
}
