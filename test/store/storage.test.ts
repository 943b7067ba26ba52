import assert from 'node:assert/strict'
import { copyFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { Kysely } from 'kysely'
import { systemClock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { eventually } from '#kit/eventually.ts'
import { type Dialect, dialectOf } from '#store/dialects/dialect.ts'
import { openMysql } from '#store/dialects/mysql.ts'
import { openPostgres } from '#store/dialects/postgres.ts'
import { openStore } from '#store/engine/open.ts'
import { createStorage } from '#store/engine/storage.ts'
import { freshDatabase, onServer, skipReason, temporaryFolder } from '#support/databases.ts'
import { startTestApp } from '#support/test-app.ts'

const limits = { statementMs: 3_000 }
const postgres = dialectOf(new Kysely({ dialect: openPostgres('postgres://u@127.0.0.1:1/db', limits) }))
const mysql = dialectOf(new Kysely({ dialect: openMysql('mysql://u@127.0.0.1:1/db', limits) }))

describe('storage errors are classified', () => {
  // PostgreSQL: appendix A of its manual. MySQL and MariaDB: their error references, and `perror` for the numbers of engines.
  const cases: [Dialect, object, string][] = [
    [postgres, { code: '53100' }, 'full'],
    [postgres, { code: '25006' }, 'readonly'],
    [postgres, { code: 'XX001' }, 'damaged'],
    [postgres, { code: 'XX002' }, 'damaged'],
    [postgres, { code: '58030' }, 'failed'],
    [mysql, { errno: 1021 }, 'full'],
    [mysql, { errno: 1114 }, 'full'],
    [
      mysql,
      { errno: 1026, message: 'Error writing file \'./x/tasks.ibd\' (Errcode: 28 "No space left on device")' },
      'full',
    ],
    [mysql, { errno: 1030, message: 'Got error 28 "No space left on device" from storage engine InnoDB' }, 'full'],
    [mysql, { errno: 1030, message: 'Got error 126 "Index is corrupted" from storage engine Aria' }, 'damaged'],
    [
      mysql,
      { errno: 1030, message: 'Got error 168 "Unknown (generic) error from engine" from storage engine' },
      'failed',
    ],
    [mysql, { errno: 1034 }, 'damaged'],
    [mysql, { errno: 1194 }, 'damaged'],
    [mysql, { errno: 1712 }, 'damaged'],
    [mysql, { errno: 1290 }, 'readonly'],
    [mysql, { errno: 1792 }, 'readonly'],
    [mysql, { errno: 1836 }, 'readonly'],
  ]
  for (const [dialect, error, expected] of cases)
    test(`${dialect.name}: ${JSON.stringify(error)} is ${expected}`, () => {
      assert.equal(dialect.classify(Object.assign(new Error(''), error)), expected)
      assert.notEqual(dialect.remedy(Object.assign(new Error(''), error)), '')
    })
})

test('postgres: a database that becomes read-only is unhealthy until it accepts writes again', {
  skip: await skipReason('postgres'),
}, async (t) => {
  const url = await freshDatabase(t, 'postgres')
  const name = new URL(url).pathname.slice(1)
  const lines: string[] = []
  const write = (text: string) => lines.push(text)
  await using store = await openStore(url, {
    clock: systemClock,
    log: { info: write, warn: write, error: write },
    onBroken: (error) => lines.push(`broken: ${error}`),
  })
  await store.probe()
  /** For new sessions; existing ones end. */
  const setReadOnly = async (value: 'on' | 'off') => {
    await onServer('postgres', `alter database ${name} set default_transaction_read_only = ${value}`)
    await onServer('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
  }
  lines.length = 0
  await setReadOnly('on')
  await eventually(
    'it is read-only',
    async () => {
      const error = await store.probe().then(
        () => undefined,
        (error: unknown) => error,
      )
      return (
        error instanceof Problem && error.message === 'The database is read-only at the moment: nothing was changed.'
      )
    },
    10_000,
  )
  assert.equal(store.storage.fault()?.kind, 'read-only')
  await setReadOnly('off')
  await eventually(
    'it takes writes',
    () =>
      store.probe().then(
        () => true,
        () => false,
      ),
    10_000,
  )
  assert.equal(store.storage.fault(), null)
  assert.match(
    lines.join('\n'),
    /^The database cannot store anything: cannot execute .+\nThe database stores writes again.+$/,
  )
})

for (const database of ['sqlite', 'postgres', 'mysql'] as const)
  test(`${database}: the write that checks whether writes are stored leaves no row`, {
    skip: database !== 'sqlite' && (await skipReason(database)),
  }, async (t) => {
    await using store = await openStore(await freshDatabase(t, database), { clock: systemClock, onBroken() {} })
    store.storage.noteFailure(Object.assign(new Error('full'), { code: '53100', errno: 1021, errcode: 13 }))
    assert.equal(store.storage.fault()?.kind, 'full')
    await store.transact(async () => {})
    assert.equal(store.storage.fault()?.kind, 'full', 'a transaction that writes nothing proves nothing')
    await Promise.all([store.probe(), store.probe()])
    assert.equal(store.storage.fault(), null)
    assert.deepEqual(await store.db.selectFrom('secrets').selectAll().execute(), [])
  })

test('a fault of writing ends with the first stored write, and its log line has the number of failures', () => {
  const lines: string[] = []
  const write = (text: string) => lines.push(text)
  let now = 0
  const storage = createStorage(postgres, { info: write, error: write }, () => now)
  const full = Object.assign(new Error('could not extend file'), { code: '53100' })
  for (let i = 0; i < 100; i++) storage.noteFailure(full)
  assert.deepEqual(storage.fault()?.kind, 'full')
  storage.noteFailure(Object.assign(new Error('deadlock'), { code: '40P01' }))
  now = 7_000
  storage.noteStored()
  storage.noteStored()
  assert.equal(storage.fault(), null)
  assert.deepEqual(lines, [
    'The database cannot store anything: could not extend file. Free space on the disk of the database server. Duebell continues by itself.',
    'The database stores writes again; 100 transactions failed in 7 s.',
  ])
})

for (const [fate, words, lose] of [
  ['deleted', 'was deleted or moved', (path: string) => unlinkSync(path)],
  ['moved', 'was deleted or moved', (path: string) => renameSync(path, `${path}.old`)],
  [
    'replaced',
    'was replaced by another file',
    (path: string) => {
      writeFileSync(`${path}.new`, '')
      renameSync(`${path}.new`, path)
    },
  ],
] as const)
  for (const ending of ['', '-wal'])
    test(`a file${ending} that is ${fate} while the server runs makes it unhealthy, and is logged once`, async (t) => {
      const path = join(temporaryFolder(t), 'duebell.db')
      const { client, url, clock, lines } = await startTestApp(t, { flags: [`--database-url=sqlite:${path}`] })
      await client.createTask({ title: 'Before' })
      assert.equal((await fetch(`${url}/readyz`)).status, 200)
      lose(path + ending)
      await clock.advance(3 * clock.maxSleepMs)
      for (let i = 0; i < 3; i++) {
        assert.equal((await fetch(`${url}/readyz`)).status, 503)
        const response = await fetch(`${url}/v1/health`, { headers: { accept: 'application/json' } })
        const { status, database } = (await response.json()) as { status: string; database: string }
        assert.deepEqual([response.status, status], [503, 'unhealthy'])
        assert.ok(database.startsWith(`${path}${ending} ${words} while the server has it open: `), database)
      }
      assert.equal(lines.filter((line) => line.includes(words)).length, 1)
      assert.equal((await client.createTask({ title: 'After' })).title, 'After', 'the bell and the API go on')
    })

test('a file that is moved back is healthy again', async (t) => {
  const path = join(temporaryFolder(t), 'duebell.db')
  const { url, clock, lines } = await startTestApp(t, { flags: [`--database-url=sqlite:${path}`] })
  renameSync(path, `${path}.old`)
  assert.equal((await fetch(`${url}/readyz`)).status, 503)
  renameSync(`${path}.old`, path)
  assert.equal((await fetch(`${url}/readyz`)).status, 200)
  await clock.advance(clock.maxSleepMs)
  assert.ok(lines.some((line) => line.includes('The database file is at its path again.')))
})

test('some seconds after the last write the file alone has everything', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'duebell.db')
  const { client, clock } = await startTestApp(t, { flags: [`--database-url=sqlite:${path}`] })
  await client.createTask({ title: 'Written a while ago' })
  await clock.advance(2 * clock.maxSleepMs)
  copyFileSync(path, join(folder, 'copy.db'))
  using copy = new DatabaseSync(join(folder, 'copy.db'))
  copy.exec('pragma locking_mode = exclusive')
  assert.deepEqual(
    copy
      .prepare('select title from tasks')
      .all()
      .map(({ title }) => title),
    ['Written a while ago'],
  )
})
