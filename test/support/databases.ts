import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import mysql2 from 'mysql2/promise'
import pg from 'pg'

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'duebell-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * Where the database servers of the tests are, if there are any. `TEST_DATABASE` says on which database a run of the tests is;
 * `test/run.ts` makes one run for each.
 */
export const servers = {
  postgres: 'postgres://postgres@127.0.0.1:5432/test',
  mysql: 'mysql://root@127.0.0.1:3306/test',
} as const

export type TestDatabase = 'sqlite' | keyof typeof servers

export const testDatabase = (process.env.TEST_DATABASE ?? 'sqlite') as TestDatabase

/** Runs one statement on a server, in a database of its own or of ours. */
export async function onServer(
  name: keyof typeof servers,
  statement: string,
  url: string = servers[name],
): Promise<void> {
  if (name === 'postgres') {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => {})
    await client.connect()
    await client.query(statement).finally(() => client.end())
  } else {
    const connection = await mysql2.createConnection({ uri: url, connectTimeout: 2_000 })
    await connection.query(statement).finally(() => connection.end())
  }
}

export async function isReachable(name: keyof typeof servers): Promise<boolean> {
  return onServer(name, 'select 1').then(
    () => true,
    () => false,
  )
}

/** For `skip` of tests that bring their own server: false, or why not. @throws under CI=true, which is to have one */
export async function skipReason(name: keyof typeof servers): Promise<string | false> {
  if (await isReachable(name)) return false
  const reason = `no ${name} server answers at ${new URL(servers[name]).host}`
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI is to have one`)
  return reason
}

/** The URL of an empty database of this test's own, gone after it. */
export async function freshDatabase(t: TestContext, kind: TestDatabase = testDatabase): Promise<string> {
  if (kind === 'sqlite') return `sqlite:${temporaryFolder(t)}/test.db`
  const name = `duebell_test_${randomBytes(6).toString('hex')}`
  await onServer(kind, `create database ${name}`)
  t.after(() => onServer(kind, kind === 'postgres' ? `drop database ${name} with (force)` : `drop database ${name}`))
  return servers[kind].replace(/test$/, name)
}

/** Makes a database of `freshDatabase` empty again, once nobody has it open. To make another takes PostgreSQL half a second. */
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
