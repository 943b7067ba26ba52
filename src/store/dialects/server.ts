import { readFileSync } from 'node:fs'
import { Problem } from '#core/problem.ts'
import type { ErrorClass } from './dialect.ts'

/**
 * What the two database servers have in common: how they are addressed, and how long anything may take. A request must be
 * answered within 5 s, 503 if need be: 1.9 s to get a connection and 3 s for a statement.
 */
export const connectMs = 1_900
export const statementMs = 3_000
/** While tables are changed, or another replica that does so is waited for. */
export const migrationMs = 3_600_000

/** What a start may lift for a while. */
export interface Limits {
  statementMs: number
}

/** Less than `statementMs`, so that the database, which knows, speaks first. */
export const lockWaitSeconds = 2
/** A replica that stops in the middle of a transaction holds up others for this long, where the database can end it. */
export const idleTransactionSeconds = 5
/** Connections of one process: as many transactions as run side by side, and as many reads as are worth it. */
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
 * `scheme://user:password@host:port/database`, with `?sslmode=require` (encrypted), `verify-full` (and the server's
 * certificate is checked) and `sslrootcert=<file>`, as PostgreSQL has them.
 * @throws Problem `invalid`
 */
export function parseServerUrl(text: string, defaults: { port: number; user: string }): ServerAddress {
  const url = URL.parse(text)
  if (!url?.hostname)
    throw new Problem('invalid', 'The database URL must look like scheme://user:password@host/database.')
  const database = decode(url.pathname.slice(1))
  // What follows here is no name of a database but the rest of a password: not to be printed. Nor is what comes before: `user:12?x@host` is
  // to a URL the host `user` and its port 12.
  if (url.hash !== '' || /[@/]/.test(database) || url.search.includes('@')) throw new Problem('invalid', encodingHint)
  if (!database) throw new Problem('invalid', `The database URL names no database: ${describeUrl(text)}/<database>.`)
  const mode = url.searchParams.get('sslmode') ?? 'disable'
  if (!['disable', 'require', 'verify-full'].includes(mode))
    throw new Problem('invalid', `sslmode in the database URL must be disable, require or verify-full, not ${mode}.`)
  const root = url.searchParams.get('sslrootcert')
  for (const name of url.searchParams.keys())
    if (name !== 'sslmode' && name !== 'sslrootcert')
      throw new Problem(
        'invalid',
        `The database URL has ${name}, which is not known; there are sslmode and sslrootcert.`,
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

/** The URL as one may print it: without password and options. */
export function describeUrl(text: string): string {
  const url = URL.parse(text)
  return url?.hostname ? `${url.protocol}//${url.host}${url.pathname}` : text
}

/** An error of the network, whichever driver met it. */
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

/** The server's certificate is not one we were told to trust, or the two sides cannot agree on TLS. */
export function isCertificateError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /CERT|^UNABLE_TO_|^ERR_TLS_|^ERR_SSL_|^EPROTO$/.test(code)
}

/** What to do about a refusal, for both servers. */
export const remedies = {
  login: 'Check the user and the password in --database-url.',
  database: 'Create the database, or name another in --database-url.',
  privilege: 'Grant this user all privileges on the database.',
  certificate: 'Name the authority of its certificate by ?sslrootcert=<file> in --database-url.',
  withTls: 'Add ?sslmode=require to --database-url.',
  withoutTls: 'Turn on TLS there, or leave sslmode out of --database-url.',
} as const

/** What to do when the disk of a database server is the matter. */
export const storageRemedies: Partial<Record<ErrorClass, string>> = {
  full: 'Free space on the disk of the database server; Duebell goes on by itself.',
  readonly: 'Let the database server take writes, or name the primary in --database-url; Duebell goes on by itself.',
  failed: 'Check the disk and the log of the database server.',
  damaged: 'Back up what can be read, then restore a backup or repair the table by the tools of the database server.',
}

/** Thrown in place of an answer that did not come in time. */
export class NoAnswer extends Error {
  constructor(what: string) {
    super(`no answer from the database: ${what}`)
    this.name = 'NoAnswer'
  }
}
