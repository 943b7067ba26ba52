import { randomBytes } from 'node:crypto'
import { accessSync, constants, copyFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { RowDataPacket } from 'mysql2/promise'
import { systemClock } from '#clock.ts'

/**
 * The folder for temporary folders: in memory if there is space, since no test should wait for a disk. Docker's own 64 MB are not enough.
 */
export const temporaryRoot = hasRoom('/dev/shm') ? '/dev/shm' : tmpdir()

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize > 500_000_000
  } catch {
    return false
  }
}

/** A folder that is removed after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(temporaryRoot, 'duebell-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * The addresses of the database servers of the tests, if there are any. `TEST_DATABASE` selects the database of a run; `test/run.ts` makes
 * one run for each.
 */
export const servers = {
  postgres: 'postgres://postgres@127.0.0.1:5432/test',
  mysql: 'mysql://root@127.0.0.1:3306/test',
} as const

export type TestDatabase = 'sqlite' | keyof typeof servers

export const testDatabase = (process.env.TEST_DATABASE ?? 'sqlite') as TestDatabase

// Each driver is imported only when needed, as in the server: both take a sixth of the time that a test on SQLite takes to load.
const openPostgres = async (url: string) => {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  await client.connect()
  return client
}
const openMysql = async (url: string) => {
  const { createConnection } = await import('mysql2/promise')
  return createConnection({ uri: url, connectTimeout: 2_000, multipleStatements: true })
}

/** Runs one statement on a server, in a database of its own or of ours. */
export async function onServer(
  name: keyof typeof servers,
  statement: string,
  url: string = servers[name],
): Promise<void> {
  if (name === 'postgres') {
    const client = await openPostgres(url)
    await client.query(statement).finally(() => client.end())
  } else {
    const connection = await openMysql(url)
    await connection.query(statement).finally(() => connection.end())
  }
}

export async function isReachable(name: keyof typeof servers): Promise<boolean> {
  return onServer(name, 'select 1').then(
    () => true,
    () => false,
  )
}

/** For `skip` of tests that bring their own server: false, or the reason. @throws under CI=true, which must have one */
export async function skipReason(name: keyof typeof servers): Promise<string | false> {
  if (await isReachable(name)) return false
  const reason = `no ${name} server answers at ${new URL(servers[name]).host}`
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI is to have one`)
  return reason
}

/** The URL of an empty database of this test, removed after it. */
export async function freshDatabase(t: TestContext, kind: TestDatabase = testDatabase): Promise<string> {
  if (kind === 'sqlite') return `sqlite:${temporaryFolder(t)}/test.db`
  const name = nameOfOwn()
  await onServer(kind, `create database ${name}`)
  t.after(() => dropDatabase(kind, name))
  return urlOf(kind, name)
}

const nameOfOwn = () => `duebell_test_${randomBytes(6).toString('hex')}`
const urlOf = (kind: keyof typeof servers, name: string) => servers[kind].replace(/test$/, name)
const dropDatabase = (kind: keyof typeof servers, name: string) =>
  onServer(kind, kind === 'postgres' ? `drop database ${name} with (force)` : `drop database ${name}`)

/**
 * The URL of a database of this test, in the state after the first start: migrated, and without a row. A test that changes the schema takes
 * `freshDatabase`. Migrating takes 40 ms of CPU on SQLite and 200 on a server, so it is done once a process. Later tests get a copy of the
 * file, or a server's database that was emptied, which takes 20 ms (PostgreSQL's `create database … template` takes 130, and MariaDB has
 * nothing like it).
 */
export async function migratedDatabase(t: TestContext, kind: TestDatabase = testDatabase): Promise<string> {
  if (kind === 'sqlite') {
    template ??= migrateFile()
    const path = `${temporaryFolder(t)}/test.db`
    copyFileSync(await template, path)
    return `sqlite:${path}`
  }
  const url = (await emptied(kind)) ?? (await migrateServer(kind))
  // The app of this test has stopped by the time at which the next test requests a database: it is emptied then.
  t.after(() => free[kind].push(url))
  return url
}

let template: Promise<string> | undefined

async function migrateFile(): Promise<string> {
  const folder = mkdtempSync(join(temporaryRoot, 'duebell-template-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  await migrate(`sqlite:${folder}/template.db`)
  return `${folder}/template.db`
}

async function migrate(url: string): Promise<void> {
  const { openStore } = await import('#store/engine/open.ts')
  await using _ = await openStore(url, { clock: systemClock, onBroken() {} })
}

const free: Record<keyof typeof servers, string[]> = { postgres: [], mysql: [] }
const made: [keyof typeof servers, name: string][] = []

async function migrateServer(kind: keyof typeof servers): Promise<string> {
  if (made.length === 0) process.once('beforeExit', dropMade)
  const name = nameOfOwn()
  await onServer(kind, `create database ${name}`)
  made.push([kind, name])
  const url = urlOf(kind, name)
  await migrate(url)
  return url
}

async function dropMade(): Promise<void> {
  for (const [kind, name] of made) await dropDatabase(kind, name)
}

/** The emptied database of an earlier test; undefined if there is none, or if it is still locked. */
async function emptied(kind: keyof typeof servers): Promise<string | undefined> {
  const url = free[kind].pop()
  if (url === undefined) return undefined
  try {
    await (kind === 'postgres' ? onServer(kind, emptyPostgres, url) : emptyMysql(url))
    return url
  } catch {
    return undefined
  }
}

/** Rows are deleted: TRUNCATE makes new files, which takes ten times as long for tables of a few rows. */
const emptyPostgres = `
  set lock_timeout = '2s';
  select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
  do $$ declare found record; begin
    for found in select relname, relkind from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'S') and relname not like 'kysely%'
    loop
      if found.relkind = 'r' then execute format('delete from %I', found.relname);
      else perform setval(format('%I', found.relname)::regclass, 1, false); end if;
    end loop;
  end $$`

async function emptyMysql(url: string): Promise<void> {
  const connection = await openMysql(url)
  try {
    const [tables] = await connection.query<RowDataPacket[]>('show table status')
    const statements = tables
      .filter(({ Name }) => !Name.startsWith('kysely'))
      .flatMap(({ Name, Auto_increment }) => [
        `delete from \`${Name}\``,
        ...(Auto_increment > 1 ? [`alter table \`${Name}\` auto_increment = 1`] : []),
      ])
    await connection.query(['set lock_wait_timeout = 2, innodb_lock_wait_timeout = 2', ...statements].join(';'))
  } finally {
    await connection.end()
  }
}

/** Empties a database of `freshDatabase` once all connections are closed. Creating another takes PostgreSQL half a second. */
export async function emptyDatabase(url: string, kind: TestDatabase = testDatabase): Promise<void> {
  if (kind === 'sqlite') {
    const path = url.replace(/^sqlite:/, '')
    for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true })
  } else if (kind === 'postgres') {
    await onServer(kind, 'drop schema public cascade; create schema public', url)
  } else {
    const name = new URL(url).pathname.slice(1)
    await onServer(kind, `drop database ${name}`)
    await onServer(kind, `create database ${name}`)
  }
}
