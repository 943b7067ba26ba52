import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { Problem } from '#core/problem.ts'
import { firstMigration, unreleasedMigration } from '#store/migrations/names.ts'

/** The file of a SQLite database: whether it may be opened, and whether it is still at its path. */

/** «Dube», in the header of the file (PRAGMA application_id): it marks files of Duebell. */
export const applicationId = 0x44756265

/**
 * Creates a missing file. Called before SQLite opens the path, because SQLite deletes the log of a missing or empty file.
 * @throws Problem `unavailable` for a file that must not be opened; nothing is changed then
 */
export function prepareFile(path: string): void {
  const file = resolve(path)
  const found = statOf(path)
  if (found?.isDirectory())
    throw unusable(`The database file ${file} cannot be opened: it is a directory. Name a file in --database-url.`)
  if (!found || found.size === 0) refuseOrphans(path)
  if (!found) create(path)
  else if (found.size > 0 && found.size < smallestDatabase && !existsSync(`${path}-wal`)) throw noDatabase(path)
  requireAccess(path)
}

/** SQLite treats a smaller file as a new database, and would overwrite it. */
const smallestDatabase = 512

const unusable = (text: string, cause?: unknown) => new Problem('unavailable', text, { cause })

export function noDatabase(path: string, cause?: unknown): Problem {
  return unusable(
    `The file ${resolve(path)} is not a SQLite database. Nothing in it was changed. Name another file in --database-url.`,
    cause,
  )
}

/** A log or a journal beside a missing or empty file may hold every task, and SQLite would delete it. */
function refuseOrphans(path: string): void {
  const file = resolve(path)
  const real = realPath(path)
  const [wal, journal] = [`${real}-wal`, `${real}-journal`]
  const log = (statOf(wal)?.size ?? 0) > 0 ? wal : isHotJournal(journal) ? journal : undefined
  if (log === undefined) return
  throw unusable(
    `The database file ${file} is ${statOf(path) ? 'empty' : 'missing'}, but ${log} is not: it may hold tasks. Nothing was changed. Restore the file from a backup, or move ${log} away to begin with an empty database.`,
  )
}

const journalMagic = 'd9d505f920a163d7'

/**
 * Whether a rollback journal holds pages of a database. The journal of a file that was just being created holds none, and SQLite may
 * delete it.
 */
function isHotJournal(path: string): boolean {
  if ((statOf(path)?.size ?? 0) < 20) return false
  const header = Buffer.alloc(20)
  const fd = openSync(path, 'r')
  try {
    readSync(fd, header, 0, header.length, 0)
  } finally {
    closeSync(fd)
  }
  return header.toString('hex', 0, 8) === journalMagic && header.readUInt32BE(16) > 0
}

/** Mode 0600 from the first byte, and 0700 for a folder that we create: tasks are private. */
function create(path: string): void {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600))
    chmodSync(path, 0o600) // a umask only removes bits; this is for a file that appeared in between
  } catch (error) {
    throw unusable(`The database file ${resolve(path)} cannot be created: ${accessFault(error)}`, error)
  }
}

/** Both the file and its folder must be writable: SQLite writes a log beside the file. */
function requireAccess(path: string): void {
  for (const [name, text] of [
    [path, `The database file ${resolve(path)} cannot be opened for writing`],
    [dirname(path), `The folder ${dirname(resolve(path))} of the database file cannot be written to`],
  ] as const)
    try {
      accessSync(name, constants.R_OK | constants.W_OK)
    } catch (error) {
      throw unusable(`${text}: ${accessFault(error)}`, error)
    }
}

function accessFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM')
    return 'permission denied. Let the user that runs Duebell read and write the file and its folder.'
  if (code === 'EROFS') return 'the file system is read-only. Mount it for writing, or name another file.'
  return `${message}.`
}

/** @throws Problem `unavailable` when it cannot be determined whether the file exists */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw unusable(`The database file ${resolve(path)} cannot be opened: ${accessFault(error)}`, error)
  }
}

/**
 * Refuses a database of another program. Files from before Duebell set an application id are recognised by their tables.
 * @throws Problem `unavailable`
 */
export function refuseForeign(database: DatabaseSync, path: string): void {
  const id = Number(Object.values(database.prepare('pragma application_id').get() ?? {})[0])
  if (id === applicationId) return
  const tables = new Set(
    database
      .prepare(
        "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite~_%' escape '~'",
      )
      .all()
      .map(({ name }) => String(name)),
  )
  if (id === 0 && isOurs(database, tables)) return
  const names = [...tables].slice(0, 5).join(', ')
  throw unusable(
    `The file ${resolve(path)} is the database of another program${names && ` (it has the tables ${names})`}. Nothing in it was changed. Name another file in --database-url.`,
  )
}

function isOurs(database: DatabaseSync, tables: ReadonlySet<string>): boolean {
  // A server killed while it created the database leaves only these.
  if (tables.difference(new Set(['kysely_migration', 'kysely_migration_lock'])).size === 0) return true
  if (!['kysely_migration', 'users', 'tasks'].every((name) => tables.has(name))) return false
  // One from before the first release is refused as such (engine/migrate.ts).
  const known = database.prepare('select 1 from kysely_migration where name in (?, ?)')
  return known.get(firstMigration, unreleasedMigration) !== undefined
}

/** Compares the open file and its log with those at their paths. Two calls of stat, 4 µs. */
export interface OpenFile {
  /** The fault, as a sentence with the remedy, or null. */
  fault(): string | null
}

export function watchFile(path: string): OpenFile {
  const file = realPath(path)
  const opened = [resolve(path), `${file}-wal`].map((name) => ({ name, id: identityOf(name) }))
  return {
    fault() {
      const moved = opened.find(({ name, id }) => ![id, undefined].includes(identityOf(name)))
      if (!moved) return null
      const fate = identityOf(moved.name) === null ? 'was deleted or moved' : 'was replaced by another file'
      return `${moved.name} ${fate} while the server has it open: later writes may be lost when the server stops. Move the original back, or save it while the server runs (on Linux it is still in /proc/<pid>/fd), then restart the server.`
    },
  }
}

/** SQLite keeps the log beside the file itself, behind any symbolic links. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // Missing; a symbolic link may name its path.
  }
  try {
    return resolve(dirname(path), readlinkSync(path))
  } catch {
    return resolve(path)
  }
}

/** Device and inode; null when nothing is there, undefined when it cannot be determined. */
function identityOf(path: string): string | null | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true })
    return found ? `${found.dev}:${found.ino}` : null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? null : undefined
  }
}
