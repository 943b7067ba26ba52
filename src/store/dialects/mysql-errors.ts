import type { ErrorClass } from './dialect.ts'
import { DatabaseTimeout, isCertificateError, isNetworkError, remedies, storageRemedies } from './server.ts'

/** Error numbers of MySQL and MariaDB: their classes, and the remedies. */

export function remedyFor(error: unknown): string {
  const { errno, code } = (error ?? {}) as { errno?: number; code?: unknown }
  if (isCertificateError(error)) return remedies.certificate
  const remedy = storageRemedies[classify(error)]
  if (remedy !== undefined) return remedy
  if (code === withoutTls) return remedies.withoutTls
  return refusals.get(errno ?? 0) ?? remedies.login
}

const withoutTls = 'HANDSHAKE_NO_SSL_SUPPORT'

const refusals = new Map([
  [1045, remedies.login], // access denied
  [1698, remedies.login], // the same, for an account without a password
  [1130, remedies.login], // not from this host
  [1049, remedies.database], // unknown database
  [1044, remedies.privilege], // to the database
  [1142, remedies.privilege], // to a table
  [1227, remedies.privilege], // to a part of the server
  [3159, remedies.withTls], // the server takes encrypted connections only
])

export function classify(error: unknown): ErrorClass {
  if (isNetworkError(error) || error instanceof DatabaseTimeout) return 'gone'
  const {
    errno,
    code,
    fatal,
    message = '',
  } = (error ?? {}) as { errno?: number; code?: unknown; fatal?: boolean; message?: string }
  if (errno === 1062) return 'duplicate'
  if (errno === 1205 || errno === 1213 || errno === 3572) return 'busy' // lock wait, deadlock, NOWAIT
  const stored = storageClass(errno, message)
  if (stored) return stored
  if (errno === 1050 || errno === 1060 || errno === 1061) return 'exists' // table, column, index
  if (isCertificateError(error) || code === withoutTls || (errno !== undefined && refusals.has(errno))) return 'refused'
  // Too many connections, shutting down, lost, killed.
  if (errno === 1040 || errno === 1053 || errno === 1927 || errno === 1317) return 'gone'
  if (typeof code === 'string' && code.startsWith('PROTOCOL_')) return 'gone'
  return fatal === true ? 'gone' : 'other'
}

/** The class of an error of the server's disk. */
function storageClass(errno: number | undefined, message: string): ErrorClass | undefined {
  if (errno === 1021 || errno === 1114) return 'full'
  if (errno !== undefined && fileErrors.has(errno)) {
    const number = Number(/err(?:or|code|no)\W{1,3}(\d+)/i.exec(message)?.[1])
    if (number === 28) return 'full'
    return damagesOfEngines.has(number) ? 'damaged' : 'failed'
  }
  // --read-only and its kin, a table or a transaction that is read-only, InnoDB started with innodb_force_recovery.
  if (errno === 1290 || errno === 1792 || errno === 1036 || errno === 1836 || errno === 1874) return 'readonly'
  return errno !== undefined && damages.has(errno) ? 'damaged' : undefined
}

/** ER_ERROR_ON_READ, _WRITE, ER_GET_ERRNO, EE_READ, EE_WRITE: the number in the message is the cause. */
const fileErrors = new Set([1024, 1026, 1030, 2, 3])

/** HA_ERR_CRASHED and its kin, by `perror`; 28 is the system's ENOSPC. */
const damagesOfEngines = new Set([126, 127, 144, 145, 180])

/** ER_NOT_KEYFILE, ER_OLD_KEYFILE, ER_CRASHED_ON_USAGE, ER_CRASHED_ON_REPAIR, ER_INDEX_CORRUPT, ER_TABLE_CORRUPT. */
const damages = new Set([1034, 1035, 1194, 1195, 1712, 1877])
