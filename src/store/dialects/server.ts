import { readFileSync } from 'node:fs'
import { Problem } from '#core/problem.ts'
import type { ErrorClass } from './dialect.ts'

/**
 * Shared by the two database servers: URLs and timeouts. A request must be answered within 5 s, with 503 if need be: 1.9 s to get a
 * connection and 3 s for a statement.
 */
export const connectMs = 1_900
export const statementMs = 3_000
/** For migrations, and while another replica runs them. */
export const migrationMs = 3_600_000

/** Limits that startup raises for a while. */
export interface Limits {
  statementMs: number
}

/** Less than `statementMs`, so that the database reports the reason first. */
export const lockWaitSeconds = 2
/** The database ends a transaction that is idle for this long, where it can: a frozen replica would block others. */
export const idleTransactionSeconds = 5
/** The connections of one process: for its concurrent transactions, and for as many reads as pay off. */
export const connections = 10

export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: { rejectUnauthorized: boolean; ca?: string } | undefined
}

/**
 * `scheme://user:password@host:port/database`, with `?sslmode=require` (encrypted), `verify-full` (also checks the server's
 * certificate) and `sslrootcert=<file>`, as in PostgreSQL.
 * @throws Problem `invalid`
 */
export function parseServerUrl(text: string, defaults: { port: number; user: string }): ServerAddress {
  const url = URL.parse(text)
  if (!url?.hostname)
    throw new Problem('invalid', 'The database URL must look like scheme://user:password@host/database.')
  const database = decode(url.pathname.slice(1))
  // This is the rest of a password, not the name of a database: it must not be printed. Neither must the part before it: in
  // `user:12?x@host` a URL has the host `user` and the port 12.
  if (url.hash !== '' || /[@/]/.test(database) || url.search.includes('@')) throw new Problem('invalid', encodingHint)
  if (!database) throw new Problem('invalid', `The database URL names no database: ${printableUrl(text)}/<database>.`)
  const mode = url.searchParams.get('sslmode') ?? 'disable'
  if (!['disable', 'require', 'verify-full'].includes(mode))
    throw new Problem('invalid', `sslmode in the database URL must be disable, require or verify-full, not ${mode}.`)
  const root = url.searchParams.get('sslrootcert')
  for (const name of url.searchParams.keys())
    if (name !== 'sslmode' && name !== 'sslrootcert')
      throw new Problem(
        'invalid',
        `The database URL has the unknown option ${name}. Known options are sslmode and sslrootcert.`,
      )
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaults.port : Number(url.port),
    user: url.username === '' ? defaults.user : decode(url.username),
    password: decode(url.password),
    database,
    tls:
      mode === 'disable'
        ? undefined
        : { rejectUnauthorized: mode === 'verify-full', ...(root !== null && { ca: readCertificate(root) }) },
  }
}

const encodingHint = 'In the database URL write / # @ : ? and % of a name or a password as %2F %23 %40 %3A %3F and %25.'

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Problem('invalid', encodingHint)
  }
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new Problem('invalid', `sslrootcert in the database URL: ${path} cannot be read.`)
  }
}

/** The URL without password and options, safe to print. */
export function printableUrl(text: string): string {
  const url = URL.parse(text)
  return url?.hostname ? `${url.protocol}//${url.host}${url.pathname}` : text
}

/** An error of the network, from any driver. */
export function isNetworkError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && networkCodes.has(code)
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** The server's certificate is not trusted, or the two sides cannot agree on TLS. */
export function isCertificateError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /CERT|^UNABLE_TO_|^ERR_TLS_|^ERR_SSL_|^EPROTO$/.test(code)
}

/** Remedies for refused connections, for both servers. */
export const remedies = {
  login: 'Check the user and the password in --database-url.',
  database: 'Create the database, or name another in --database-url.',
  privilege: 'Grant this user all privileges on the database.',
  certificate: 'Name the authority of its certificate by ?sslrootcert=<file> in --database-url.',
  withTls: 'Add ?sslmode=require to --database-url.',
  withoutTls: 'Turn on TLS there, or leave sslmode out of --database-url.',
} as const

/** Remedies for faults of the database server's disk. */
export const storageRemedies: Partial<Record<ErrorClass, string>> = {
  full: 'Free space on the disk of the database server. Duebell continues by itself.',
  readonly: 'Allow writes on the database server, or name the primary in --database-url. Duebell continues by itself.',
  failed: 'Check the disk and the log of the database server.',
  damaged: 'Back up what can be read, then restore a backup or repair the table with the tools of the database server.',
}

/** Thrown when an answer does not arrive in time. */
export class DatabaseTimeout extends Error {
  constructor(what: string) {
    super(`no answer from the database: ${what}`)
    this.name = 'DatabaseTimeout'
  }
}
