import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type { Dialect as KyselyDialect } from 'kysely'
import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import type { Priority } from '#core/task.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { currentSchema, type SchemaDefinition } from '#store/migrations/migrations.ts'
import { type Db, tables } from '#store/schema.ts'
import { count, id, reference, text } from '#store/tables/column.ts'
import { indexesOf, schemaVersion, type Table, table } from '#store/tables/table.ts'
import { emptyDatabase, freshDatabase, type TestDatabase, testDatabase } from '#support/databases.ts'
import { failingDatabase, wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { parseSample, quarterOf, statementsOf } from '../crashes/sample.ts'

/** Upgrades of a database: what a version adds by `since` is the same in an upgraded database as in a new one. */
const next = schemaVersion(tables) + 1

/** A later version: two columns, an index on one, a table, and a migration of data. */
const later: SchemaDefinition = {
  tables: {
    ...tables,
    tasks: table(
      { ...tables.tasks.columns, color: text(30).orNull().since(next), stars: count().default(3).since(next) },
      {
        ...tables.tasks.keys,
        indexes: {
          ...tables.tasks.keys.indexes,
          tasks_color: { columns: ['user_id', 'color'], notNull: 'color', since: next },
        },
      },
    ),
    labels: table(
      { id: id(), user_id: reference(), name: text(50) },
      { unique: { labels_name: ['user_id', 'name'] }, indexes: { labels_user: ['user_id', 'id'] }, since: next },
    ),
  },
  data: {
    ...currentSchema.data,
    [next]: async () => [
      async (db) => {
        await sql`update tasks set color = 'red' where priority = 'high'`.execute(db)
      },
    ],
  },
}

const open = (
  url: string,
  deps: { schema?: SchemaDefinition; wrap?: (dialect: KyselyDialect) => KyselyDialect } = {},
) => openStore(url, { clock: fakeClock(), onBroken() {}, ...deps })

const inspections: Record<TestDatabase, readonly string[]> = {
  sqlite: [
    `select m.name as t, c.name, c.type, c."notnull", c.dflt_value, c.pk
      from sqlite_schema m, pragma_table_xinfo(m.name) c where m.type = 'table'`,
    `select m.name as t, i.name, i."unique", i.partial, k.seqno, k.name as c
      from sqlite_schema m, pragma_index_list(m.name) i, pragma_index_info(i.name) k where m.type = 'table'`,
    `select tbl_name, name, sql from sqlite_schema where type = 'index'`,
    'select name, wr, strict from pragma_table_list',
  ],
  postgres: [
    `select table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity
      from information_schema.columns where table_schema = 'public'`,
    `select tablename, indexdef from pg_indexes where schemaname = 'public'`,
    `select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
      where connamespace = 'public'::regnamespace`,
  ],
  mysql: [
    `select table_name, column_name, column_type, collation_name, is_nullable, column_default, extra
      from information_schema.columns where table_schema = database()`,
    `select table_name, index_name, non_unique, seq_in_index, column_name
      from information_schema.statistics where table_schema = database()`,
  ],
}

/** Columns, keys and indexes, in no order: an upgrade appends columns. */
async function schemaOf({ db }: Store): Promise<string[]> {
  const found: string[] = []
  for (const query of inspections[testDatabase])
    for (const row of (await sql.raw(query).execute(db)).rows) found.push(Object.values(row as object).join(' '))
  return found.sort()
}

/** The definition of an earlier version: what was added since is left out. */
function asOf(version: number, { tables, data }: SchemaDefinition = later): SchemaDefinition {
  const isThere = ({ since = 1 }: { since?: number }) => since <= version
  const only = <V>(members: Readonly<Record<string, V>>, keep: (value: V) => boolean) =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => keep(value)))
  const earlier = Object.entries(only(tables, ({ keys }) => isThere(keys))).map(([name, one]): [string, Table] => {
    const indexes = Object.fromEntries(indexesOf(one).filter(([, index]) => isThere(index)))
    return [name, { columns: only(one.columns, ({ addedIn }) => addedIn <= version), keys: { ...one.keys, indexes } }]
  })
  return {
    tables: Object.fromEntries(earlier),
    data: Object.fromEntries(Object.entries(data).filter(([number]) => Number(number) <= version)),
  }
}

/** In the columns of the first version. */
async function addTask({ db }: Store, title: string, priority: Priority) {
  await sql`insert into tasks (user_id, uid, title, tags, priority, created_at, updated_at, version)
    values (1, ${randomUUID()}, ${title}, '[]', ${priority}, 0, 0, 1)`.execute(db)
}

/** The schema of a new database, in the version of these tables. */
async function newSchema(url: string, schema: SchemaDefinition = currentSchema): Promise<string[]> {
  await using store = await open(url, { schema })
  return await schemaOf(store)
}

let expected: Promise<string[]> | undefined

/** The schema of a new database in the later version, created once: it takes a server a second. */
async function expectedSchema(t: TestContext): Promise<string[]> {
  expected ??= freshDatabase(t).then((url) => newSchema(url, later))
  return expected
}

const migrationsIn = async (db: Db) =>
  (await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)).rows.map(
    ({ name }) => name,
  )

/** Starts, and returns the statements that do more than read. @throws as `openStore` */
async function writesOfStart(url: string, schema?: SchemaDefinition): Promise<string[]> {
  const writes: string[] = []
  const wrap = (dialect: KyselyDialect) =>
    wrapConnections(dialect, (text, run) => {
      if (!/^\s*(select|with|show)/i.test(text)) writes.push(text)
      return run()
    })
  await (await open(url, { wrap, ...(schema && { schema }) }))[Symbol.asyncDispose]()
  return writes
}

describe(`${testDatabase}: upgrades`, () => {
  for (let version = 1; version < next; version++)
    test(`a database upgraded from schema version ${version} equals a new one, and keeps its rows`, async (t) => {
      const url = await freshDatabase(t)
      let before: string[]
      {
        await using store = await open(url, { schema: asOf(version) })
        await addTask(store, 'Plain', 'none')
        await addTask(store, 'Urgent', 'high')
        before = await schemaOf(store)
      }
      await using store = await open(url, { schema: later })
      const upgraded = await schemaOf(store)
      assert.deepEqual(upgraded, await expectedSchema(t))
      const added = upgraded.filter((line) => !before.includes(line))
      for (const name of [/color/, /stars/, /tasks_color/, /labels/, /labels_user/])
        assert.ok(
          added.some((line) => name.test(line)),
          `it has changed: ${name}`,
        )
      const { rows } = await sql`select title, color, stars from tasks order by id`.execute(store.db)
      assert.deepEqual(rows, [
        { title: 'Plain', color: null, stars: 3 },
        { title: 'Urgent', color: 'red', stars: 3 },
      ])
      assert.equal((await migrationsIn(store.db)).length, next)
    })

  test('a start that finds nothing to upgrade only reads', async (t) => {
    const url = await freshDatabase(t)
    assert.ok((await writesOfStart(url, later)).length > 0)
    assert.deepEqual(await writesOfStart(url, later), [])
  })

  test('an upgraded database is refused by the version before', async (t) => {
    const url = await freshDatabase(t)
    await newSchema(url, later)
    await assert.rejects(open(url), /used by a newer Duebell: it has schema-0*\d+, .* Nothing was changed/)
  })

  for (const when of ['before', 'after'] as const) {
    test(`killed ${when} any of its statements, an upgrade is completed by the next start`, async (t) => {
      const url = await freshDatabase(t)
      const sample = quarterOf(parseSample(process.env.CRASH_SAMPLE))
      let kills = 0
      for (const n of statementsOf(sample)) {
        await emptyDatabase(url)
        {
          await using store = await open(url, { schema: asOf(1) })
          await addTask(store, 'Urgent', 'high')
        }
        if (!(await killAt(url, n, when, later))) break
        kills++
        await using store = await open(url, { schema: later })
        assert.deepEqual(await schemaOf(store), await expectedSchema(t))
        const { rows } = await sql`select color, stars from tasks`.execute(store.db)
        assert.deepEqual(rows, [{ color: 'red', stars: 3 }])
      }
      assert.ok(kills > 0, 'no statement was reached')
    })

    test(`killed ${when} any statement of its first start, a database is completed by a later version`, async (t) => {
      const url = await freshDatabase(t)
      const sample = quarterOf(parseSample(process.env.CRASH_SAMPLE))
      let kills = 0
      for (const n of statementsOf(sample)) {
        await emptyDatabase(url)
        if (!(await killAt(url, n, when, asOf(1)))) break
        kills++
        assert.deepEqual(await newSchema(url, later), await expectedSchema(t))
      }
      assert.ok(kills > 0, 'no statement was reached')
    })
  }

  test('a database from before the first release is refused, and left as it was', async (t) => {
    const url = await freshDatabase(t)
    await newSchema(url)
    {
      await using store = await open(url)
      // It lacks most columns of today.
      await sql`alter table tasks drop column fired_until_at`.execute(store.db)
      await sql`delete from kysely_migration`.execute(store.db)
      for (const name of ['0001-foundation', '0002-original'])
        await sql`insert into kysely_migration (name, timestamp) values (${name}, '2026-01-01')`.execute(store.db)
    }
    let refused: unknown
    const writes = await writesOfStart(url).catch((error) => {
      refused = error
      return []
    })
    assert.ok(refused instanceof Problem)
    assert.match(
      refused.message,
      /was created before the first release of Duebell, and cannot be upgraded\. Nothing was changed\. Name an empty database in --database-url/,
    )
    assert.deepEqual(writes, [])
  })
})

/** Starts a server that is killed at its n-th statement. @returns whether it was */
async function killAt(url: string, n: number, when: 'before' | 'after', schema?: SchemaDefinition): Promise<boolean> {
  const failing = failingDatabase()
  failing.dieAt(n, when)
  const opened = await open(url, { wrap: failing.wrap, ...(schema && { schema }) }).catch(() => undefined)
  await opened?.[Symbol.asyncDispose]()
  return failing.isFailed
}

test('the compiler refuses a later column that existing rows have no value for', () => {
  // @ts-expect-error -- neither nullable nor with a default
  assert.throws(() => text(30).since(2))
  assert.equal(text(30).orNull().since(2).addedIn, 2)
})
