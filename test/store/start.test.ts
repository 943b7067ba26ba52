import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import {
  CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import pg from 'pg'
import { openWalk } from '#actions/recompute.ts'
import { systemClock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { newTask } from '#core/task-changes.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import { openMysql } from '#store/dialects/mysql.ts'
import { openPostgres } from '#store/dialects/postgres.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import type { Db, Schema } from '#store/schema.ts'
import { insertTask } from '#store/task-writes.ts'
import { builtInUserId } from '#store/users.ts'
import { freshDatabase, onServer } from '#support/databases.ts'
import { databases, open, type Server, skip } from './starts.ts'

/** A database that answers any query with one row. */
function answering(row: object): Db {
  class Driver extends DummyDriver {
    override async acquireConnection() {
      return { executeQuery: async () => ({ rows: [row] }), streamQuery: async function* () {} } as never
    }
  }
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new Driver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

describe('a start checks version and settings', () => {
  const limits = { statementMs: 3_000 }
  const dialects = {
    postgres: dialectOf(new Kysely({ dialect: openPostgres('postgres://u@127.0.0.1:1/db', limits) })),
    mysql: dialectOf(new Kysely({ dialect: openMysql('mysql://u@127.0.0.1:1/db', limits) })),
  }
  const sound = {
    postgres: {
      version: 150_000,
      name: '15.0',
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      encoding: 'UTF8',
    },
    mysql: {
      version: '8.4.2',
      isolation: 'READ-COMMITTED',
      charset: 'utf8mb4',
      flush_log: 1,
      log_bin: 1,
      sync_binlog: 1,
    },
  }
  const inspect = (server: Server, more: object = {}) =>
    dialects[server].inspect(answering({ ...sound[server], ...more }))

  test('correct ones are not logged', async () => {
    for (const server of databases) assert.deepEqual(await inspect(server), [])
    assert.deepEqual(await inspect('mysql', { log_bin: 0, sync_binlog: 0 }), [], 'nobody reads that log')
    assert.deepEqual(await inspect('mysql', { version: '10.6.1-MariaDB-log' }), [])
    assert.deepEqual(await inspect('postgres', { version: 120_000 }), [])
  })

  test('a version that is too old is refused, and so is a setting that would lose texts or edits', async () => {
    const refused: [Server, object, RegExp][] = [
      ['postgres', { version: 110_022, name: '11.22' }, /^PostgreSQL 11\.22 is too old: Duebell needs 12 or newer\.$/],
      [
        'postgres',
        { encoding: 'SQL_ASCII' },
        /^The database has the encoding SQL_ASCII: create it with encoding 'UTF8'\.$/,
      ],
      ['mysql', { version: '5.7.44' }, /^The server is 5\.7\.44: Duebell needs MySQL 8 or MariaDB 10\.6, or newer\.$/],
      ['mysql', { version: '10.5.23-MariaDB' }, /^The server is 10\.5\.23-MariaDB: Duebell needs /],
      ['mysql', { isolation: 'REPEATABLE-READ' }, /did not accept our session settings: isolation REPEATABLE-READ/],
      ['mysql', { charset: 'latin1' }, /charset latin1/],
    ]
    for (const [server, more, expected] of refused)
      await assert.rejects(inspect(server, more), (error) => error instanceof Problem && expected.test(error.message))
  })

  test('a server that may lose acknowledged writes causes a warning for each such setting', async () => {
    assert.deepEqual(
      (await inspect('postgres', { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' })).map(
        (warning) => /with (\w+ = \w+): a crash of its machine may lose acknowledged writes/.exec(warning)?.[1],
      ),
      ['fsync = off', 'full_page_writes = off', 'synchronous_commit = off'],
    )
    const [flush, binlog] = await inspect('mysql', { flush_log: 2, sync_binlog: 0 })
    assert.match(
      flush as string,
      /innodb_flush_log_at_trx_commit = 2: a crash of its machine may lose acknowledged writes\. Set it to 1\.$/,
    )
    assert.match(binlog as string, /sync_binlog = 0: after a crash its replicas may differ from it\. Set it to 1\.$/)
  })

  for (const server of databases)
    test(`${server}: a clock that differs from the database's causes a warning`, { skip: skip[server] }, async (t) => {
      const url = await freshDatabase(t, server)
      const lines: string[] = []
      const log = { info() {}, warn: (text: string) => lines.push(text), error() {} }
      const clock = { ...systemClock, now: () => Date.now() - 90_000 }
      await (await openStore(url, { clock, log, onBroken() {} }))[Symbol.asyncDispose]()
      assert.match(
        lines.join('\n'),
        /The clock of the database is (89\.9|90\.\d) s ahead of this machine's\. .+ Synchronise both with NTP\.$/,
      )
      lines.length = 0
      await (await openStore(url, { clock: systemClock, log, onBroken() {} }))[Symbol.asyncDispose]()
      assert.deepEqual(lines, [])
    })
})

describe('several starts', () => {
  for (const server of databases)
    test(`${server}: at once on an empty database, all succeed`, { skip: skip[server] }, async (t) => {
      const url = await freshDatabase(t, server)
      const stores = await Promise.all(Array.from({ length: 6 }, () => open(t, url)))
      const draft = newTask(
        { title: 'Together' },
        1,
        'uid',
        { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' },
        Date.now(),
      )
      await (stores[0] as Store).transact((tx) => insertTask(tx, draft))
      for (const { db } of stores) assert.equal((await db.selectFrom('tasks').selectAll().execute()).length, 1)
    })

  test('postgres: a start waits for another that is migrating, however long that takes', {
    skip: skip.postgres,
  }, async (t) => {
    const url = await freshDatabase(t, 'postgres')
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    await other.query('select pg_advisory_lock(3853314791062309107)') // the lock of the migrations
    let isOpen = false
    const opening = open(t, url).then(() => {
      isOpen = true
    })
    await systemClock.sleep(4_000) // longer than the timeout of other statements
    assert.equal(isOpen, false)
    await other.end()
    await opening
  })
})

describe('the tasks of the original service', { skip: skip.mysql }, () => {
  const long = `${'日'.repeat(300)}${'🎉'.repeat(300)}`
  const rows = [
    [7, 'Renew passport', 'at the town hall', '2026-07-01 10:00:00', '2026-01-02 03:04:05', '2026-02-03 04:05:06'],
    [8, null, null, null, '2026-01-02 03:04:05', null],
    [12, long, null, '2026-12-01 10:00:00', null, null],
    [13, long, 'and more', '2026-03-29 02:30:00', '2026-10-25 02:30:00', null], // in a gap, in an overlap
    [40, '', '', null, null, null],
  ]

  async function originalDatabase(t: TestContext, withRows = rows): Promise<string> {
    const url = await freshDatabase(t, 'mysql')
    await onServer(
      'mysql',
      `create table task (id int not null auto_increment primary key, title varchar(1000), description text, expiry_dt datetime,
        create_dt datetime, update_dt datetime) default character set utf8mb4`,
      url,
    )
    const literal = (value: unknown) =>
      value === null ? 'null' : typeof value === 'number' ? `${value}` : `'${value}'`
    for (const row of withRows) await onServer('mysql', `insert into task values (${row.map(literal).join(', ')})`, url)
    return url
  }
  const at = (text: string) => Date.parse(text)

  test('are migrated once, with their ids and their times in the configured zone', async (t) => {
    const url = await originalDatabase(t)
    const lines: string[] = []
    const store = await open(t, url, lines, 'Europe/Paris')
    const tasks = await store.db.selectFrom('tasks').selectAll().orderBy('id').execute()
    assert.deepEqual(
      tasks.map(({ id, expiry_at }) => [id, expiry_at]),
      [
        [7, at('2026-07-01T10:00:00+02:00')],
        [8, null],
        [12, at('2026-12-01T10:00:00+01:00')],
        [13, at('2026-03-29T03:30:00+02:00')],
        [40, null],
      ],
    )
    const [passport, untitled, cut, described, empty] = tasks
    assert.deepEqual([passport?.title, passport?.description], ['Renew passport', 'at the town hall'])
    assert.deepEqual(
      [passport?.created_at, passport?.updated_at],
      [at('2026-01-02T03:04:05+01:00'), at('2026-02-03T04:05:06+01:00')],
    )
    assert.deepEqual([untitled?.title, untitled?.description], ['Task 8', null])
    assert.equal(untitled?.updated_at, untitled?.created_at)
    assert.deepEqual([[...(cut?.title ?? '')].length, cut?.title.at(-1)], [500, '…'])
    assert.ok(long.startsWith(cut?.title.slice(0, -1) as string))
    assert.equal(cut?.description, long, 'whole')
    assert.equal(described?.description, `${long}\n\nand more`)
    assert.equal(empty?.title, 'Task 40')
    assert.equal(new Set(tasks.map(({ uid }) => uid)).size, 5)
    assert.deepEqual(lines, [
      'Took over 5 tasks of the original service from its table «task», times read in Europe/Paris.',
      'Without a title, now called «Task <id>»: 8, 40.',
      'With a title longer than 500 characters, kept whole in the description: 12, 13.',
      `Created empty tables in ${url.replace('root@', '')}.`,
    ])

    const { rows: theirs } = await store.db.executeQuery<object>(CompiledQuery.raw('select * from task order by id'))
    assert.deepEqual(
      theirs.map((row) => Object.values(row)),
      rows,
      'their table is left as it is',
    )

    await store[Symbol.asyncDispose]()
    lines.length = 0
    const again = await open(t, url, lines, 'Asia/Tokyo')
    assert.deepEqual(lines, [])
    assert.deepEqual(await again.db.selectFrom('tasks').selectAll().orderBy('id').execute(), tasks)
    const draft = newTask(
      { title: 'Next' },
      1,
      'next',
      { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' },
      Date.now(),
    )
    assert.equal((await again.transact((tx) => insertTask(tx, draft))).id, 41)
  })

  test('two concurrent starts migrate them once', async (t) => {
    const url = await originalDatabase(t)
    const lines: string[] = []
    const [store] = await Promise.all([open(t, url, lines), open(t, url, lines), open(t, url, lines)])
    assert.equal((await store.db.selectFrom('tasks').selectAll().execute()).length, rows.length)
    assert.equal(lines.filter((line) => line.startsWith('Took over 5 tasks')).length, 1)
  })

  test('get their alarms with the first defaults', async (t) => {
    const store = await open(t, await originalDatabase(t, [[3, 'Visa', null, '2999-01-01 10:00:00', null, null]]))
    await store.transact((tx, now) =>
      adoptServerDefaults(tx, { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }, now),
    )
    const walk = openWalk({ store, limit: () => 1_000, wake() {} }, builtInUserId)
    assert.deepEqual(await walk.step(), { tasks: 1, tasksBefore: 0, moved: [], isDone: true })
    const [task] = await store.db.selectFrom('tasks').select('notify_at').execute()
    assert.equal(task?.notify_at, at('2999-01-01T09:45:00Z'))
  })

  test('by the thousand too', async (t) => {
    const url = await originalDatabase(t, [])
    const titles = Array.from({ length: 2_345 }, (_, i) => `('Task ${i}')`)
    await onServer('mysql', `insert into task (title) values ${titles.join(', ')}`, url)
    const store = await open(t, url)
    assert.equal((await store.db.selectFrom('tasks').select('id').execute()).length, 2_345)
  })

  test('another table of that name is not touched', async (t) => {
    const url = await freshDatabase(t, 'mysql')
    await onServer('mysql', 'create table task (id int primary key, name text)', url)
    const lines: string[] = []
    const store = await open(t, url, lines)
    assert.deepEqual(lines, [`Created empty tables in ${url.replace('root@', '')}.`])
    assert.deepEqual(await store.db.selectFrom('tasks').selectAll().execute(), [])
  })
})
