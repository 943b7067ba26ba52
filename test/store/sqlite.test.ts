import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { spawnServer } from '#kit/server-process.ts'
import { openStore } from '#store/engine/open.ts'
import { temporaryFolder } from '#support/databases.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'

const noDeps = { clock: fakeClock(), onBroken: () => {} }

async function openIn(t: TestContext, path: string) {
  const store = await openStore(`sqlite:${path}`, noDeps)
  t.after(() => store[Symbol.asyncDispose]())
  return store
}

/** The message of the refusal; it must be a Problem, which is printed without a stack. */
async function refusal(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => assert.fail('it was opened'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof Problem, String(error))
  assert.equal(error.kind, 'unavailable')
  return error.message
}

test('SQLite: the file is for its user alone, and so is a folder that is made for it', async (t) => {
  const folder = join(temporaryFolder(t), 'made', 'twice')
  const path = join(folder, 'test.db')
  const store = await openIn(t, path)
  await store.transact((tx) => sql`update users set time_zone = 'UTC'`.execute(tx))
  const mode = (file: string) => (statSync(file).mode & 0o777).toString(8)
  assert.equal(mode(folder), '700')
  for (const file of readdirSync(folder)) assert.equal(mode(join(folder, file)), '600', file)
  assert.ok(readdirSync(folder).includes('test.db-wal'))
})

test('SQLite: a folder that was there keeps its mode', async (t) => {
  const folder = join(temporaryFolder(t), 'shared')
  mkdirSync(folder, { mode: 0o755 })
  const { mode } = statSync(folder)
  await openIn(t, join(folder, 'test.db'))
  assert.equal(statSync(folder).mode, mode)
})

test('SQLite: the settings for durability are set', async (t) => {
  const { db } = await openIn(t, join(temporaryFolder(t), 'test.db'))
  const pragma = async (name: string) =>
    Object.values((await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(db)).rows[0] ?? {})[0]
  assert.equal(await pragma('journal_mode'), 'wal')
  assert.equal(await pragma('synchronous'), 2)
  assert.equal(await pragma('locking_mode'), 'exclusive')
  assert.equal(await pragma('cell_size_check'), 1)
  const { rows } = await sql<{ name: string; type: string; strict: number }>`pragma table_list`.execute(db)
  // The tables of the full-text index have their own settings.
  const own = rows.filter(({ name, type }) => type === 'table' && !/^(sqlite|kysely)_/.test(name))
  assert.ok(own.length >= 5)
  assert.deepEqual(
    own.filter(({ strict }) => strict !== 1),
    [],
    'tables that take a text for a number',
  )
})

test('SQLite: a new file has pages of 2 kB; an existing one keeps its own', async (t) => {
  const older = join(temporaryFolder(t), 'older.db')
  const before = new DatabaseSync(older)
  before.exec('pragma page_size = 4096; create table t (x); drop table t')
  before.close()
  for (const [path, size] of [
    [join(temporaryFolder(t), 'new.db'), 2_048],
    [older, 4_096],
  ] as const) {
    const { db, transact } = await openIn(t, path)
    await transact((tx) => sql`update users set time_zone = 'UTC'`.execute(tx))
    const pragma = await sql<{ page_size: number }>`pragma page_size`.execute(db)
    assert.deepEqual(pragma.rows, [{ page_size: size }])
    const log = await sql<{ wal_autocheckpoint: number }>`pragma wal_autocheckpoint`.execute(db)
    assert.deepEqual(log.rows, [{ wal_autocheckpoint: 4_000 }])
  }
})

test('SQLite: a second server on the file is refused in plain words, in this process and in another', async (t) => {
  const path = join(temporaryFolder(t), 'test.db')
  await openIn(t, path)
  const words = /^The database file .*test\.db is in use by another process\. One server per file: stop the other one/
  assert.match(await refusal(openStore(`sqlite:${path}`, noDeps)), words)
  const { ended, output } = spawnServer(t, ['--database-url', `sqlite:${path}`])
  assert.equal((await ended).code, 2)
  assert.match(output.stderr, /^duebell: The database file .* is in use by another process\..*\n$/)
})

test('SQLite: once the first has closed it, the file is free', async (t) => {
  const path = join(temporaryFolder(t), 'test.db')
  const first = await openStore(`sqlite:${path}`, noDeps)
  await first[Symbol.asyncDispose]()
  await openIn(t, path)
})

test('SQLite: a file that is no database is refused, and not a byte of it is changed', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'letters.txt')
  for (const content of [
    'Dear diary,\n'.repeat(1_000),
    'x',
    'x'.repeat(511),
    'x'.repeat(512),
    `SQLite format 3\0${'garbage'.repeat(1_000)}`,
  ]) {
    writeFileSync(path, content)
    assert.match(
      await refusal(openStore(`sqlite:${path}`, noDeps)),
      /letters\.txt (is not a SQLite database|cannot be)/,
    )
    assert.equal(readFileSync(path, 'utf8'), content)
    assert.deepEqual(readdirSync(folder), ['letters.txt'], 'nothing is left beside it')
  }
})

test('SQLite: a folder, or a path through a file, is refused in plain words', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'file'), '')
  assert.match(await refusal(openStore(`sqlite:${folder}`, noDeps)), /cannot be opened/)
  assert.match(await refusal(openStore(`sqlite:${folder}/file/test.db`, noDeps)), /cannot be (created|opened)/)
})

test('SQLite: another program’s database is refused', async (t) => {
  const path = join(temporaryFolder(t), 'other.db')
  {
    using database = new DatabaseSync(path)
    database.exec('create table tasks (id integer primary key, body text); insert into tasks (body) values (1)')
  }
  await assert.rejects(openStore(`sqlite:${path}`, noDeps))
  using database = new DatabaseSync(path)
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' and name not like 'kysely%'")
    .all()
  assert.deepEqual(
    tables.map(({ name }) => name),
    ['tasks'],
  )
})

test('SQLite: in memory it leaves no file, and works the same', async (t) => {
  const store = await openIn(t, ':memory:')
  assert.equal(existsSync(':memory:'), false)
  await store.transact(async () => {})
})

for (const [errcode, what] of [
  [13, 'The disk is full: nothing was changed.'],
  [8, 'The database is read-only at the moment: nothing was changed.'],
  [
    11,
    'The database is damaged, and this part of it cannot be read or changed. The log and /v1/health tell an administrator how to repair it.',
  ],
  [5, 'The database cannot be reached at the moment.'],
] as const)
  test(`SQLite: error ${errcode} is reported as «${what}»`, async (t) => {
    let fails = false
    const store = await openStore(`sqlite:${temporaryFolder(t)}/test.db`, {
      ...noDeps,
      wrap: (dialect) =>
        wrapConnections(dialect, async (text, run) => {
          if (fails && text === 'commit') throw Object.assign(new Error('told by SQLite'), { errcode })
          return run()
        }),
    })
    t.after(() => store[Symbol.asyncDispose]())
    fails = true
    assert.equal(await refusal(store.transact((tx) => sql`delete from tasks`.execute(tx))), what)
    fails = false
    await store.transact((tx) => sql`delete from tasks`.execute(tx))
  })

test('SQLite: a failed fsync is reported to the operator as a broken disk', async (t) => {
  const broken: unknown[] = []
  let fails = false
  const store = await openStore(`sqlite:${temporaryFolder(t)}/test.db`, {
    clock: fakeClock(),
    onBroken: (error) => broken.push(error),
    wrap: (dialect) =>
      wrapConnections(dialect, async (text, run) => {
        // SQLITE_IOERR_FSYNC
        if (fails && text === 'commit') throw Object.assign(new Error('disk I/O error'), { errcode: 1034 })
        return run()
      }),
  })
  t.after(() => store[Symbol.asyncDispose]())
  fails = true
  await refusal(store.transact((tx) => sql`delete from tasks`.execute(tx)))
  assert.equal(broken.length, 1)
})
