import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { spawnServer } from '#kit/server-process.ts'
import { smallDisk } from '#kit/small-disk.ts'
import { openStore } from '#store/engine/open.ts'
import { temporaryFolder } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'

/** The files that a start accepts, and those that it leaves unchanged byte for byte. */

/** Opens, calls `use`, and closes. @returns the log */
async function openOnce(path: string, use: () => void = () => {}): Promise<string[]> {
  const lines: string[] = []
  const write = (text: string) => lines.push(text)
  const log = { info: write, warn: write, error: write }
  await using store = await openStore(`sqlite:${path}`, { clock: fakeClock(), log, onBroken() {} })
  await store.transact((tx) => sql`update users set time_zone = 'UTC'`.execute(tx))
  use()
  return lines
}

async function refusal(path: string): Promise<string> {
  const error = await openOnce(path).then(
    () => assert.fail('it was opened'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof Problem, String(error))
  assert.doesNotMatch(error.message, /\n|SQLITE_|errcode/)
  return error.message
}

const contents = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]))

/** The files of a killed server: the database, and its log with all writes. */
async function killed(t: TestContext) {
  const folder = temporaryFolder(t)
  const path = join(folder, 'duebell.db')
  const running = join(temporaryFolder(t), 'duebell.db')
  await openOnce(running, () => {
    for (const ending of ['', '-wal']) copyFileSync(running + ending, path + ending)
  })
  return { folder, path, log: `${path}-wal` }
}

for (const [fate, lose] of [
  ['missing', (path: string) => unlinkSync(path)],
  ['empty', (path: string) => truncateSync(path)],
] as const)
  test(`a log beside a file that is ${fate} is never discarded: exit 2, one sentence, not a byte changed`, async (t) => {
    const { folder, path, log } = await killed(t)
    lose(path)
    const before = contents(folder)
    assert.ok(before['duebell.db-wal']?.length)
    const { ended, output } = spawnServer(t, ['--database-url', `sqlite:${path}`])
    assert.equal((await ended).code, 2)
    assert.equal(
      output.stderr,
      `duebell: The database file ${path} is ${fate}, but ${log} is not: it may hold tasks. Nothing was changed. ` +
        `Restore the file from a backup, or move ${log} away to begin with an empty database.\n`,
    )
    assert.deepEqual(contents(folder), before)

    renameSync(log, `${folder}/aside`)
    assert.deepEqual(await openOnce(path), [`Created an empty database at ${path}.`])
    assert.equal(contents(folder).aside, before['duebell.db-wal'])
  })

test('the same if the path is a link: SQLite keeps the log beside the target of the link', async (t) => {
  const { path, log } = await killed(t)
  const link = join(temporaryFolder(t), 'link.db')
  symlinkSync(path, link)
  unlinkSync(path)
  assert.match(await refusal(link), new RegExp(`is missing, but ${log} is not`))
  assert.ok(!existsSync(path))
})

test('a hot journal beside a missing file is not changed; that of a file being created prevents nothing', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'duebell.db')
  // The header of a rollback journal: magic, pages in it, a nonce, pages of the database before (sqlite.org/fileformat2.html#rollbackjournal).
  const journal = (pagesBefore: number) => {
    const header = Buffer.alloc(1_024)
    header.write('d9d505f920a163d7', 'hex')
    header.writeUInt32BE(pagesBefore, 16)
    return header
  }
  writeFileSync(`${path}-journal`, journal(3))
  assert.match(await refusal(path), /duebell\.db is missing, but .*duebell\.db-journal is not/)
  assert.deepEqual(readdirSync(folder), ['duebell.db-journal'])
  writeFileSync(`${path}-journal`, journal(0))
  await openOnce(path)
})

test('a file and its log are recovered together, and no new database is logged', async (t) => {
  const { path } = await killed(t)
  assert.deepEqual(await openOnce(path), [])
})

test('a new database is logged once', async (t) => {
  const path = join(temporaryFolder(t), 'made', 'duebell.db')
  assert.deepEqual(await openOnce(path), [`Created an empty database at ${path}.`])
  assert.deepEqual(await openOnce(path), [])
})

for (const [what, statements] of [
  ['with a table of a name of ours', 'create table tasks (id integer primary key, body text); pragma user_version = 7'],
  ['with other tables', 'create table albums (id integer primary key); pragma user_version = 7'],
  ['with an application id of its own', 'pragma application_id = 252006673; pragma user_version = 7'],
  ['in WAL mode', 'pragma journal_mode = wal; create table albums (id integer primary key); pragma user_version = 7'],
  ['of another program with Kysely', 'create table kysely_migration (name text); create table tasks (id integer)'],
] as const)
  test(`another program’s database, ${what}, is refused, and not a byte of it is changed`, async (t) => {
    const folder = temporaryFolder(t)
    const path = join(folder, 'other.db')
    {
      using database = new DatabaseSync(path)
      database.exec(statements)
    }
    const before = contents(folder)
    assert.match(
      await refusal(path),
      /^The file .*other\.db is the database of another program.*\. Nothing in it was changed\. Name another file in --database-url\.$/,
    )
    assert.deepEqual(contents(folder), before)
  })

test('a file of an older Duebell is recognized by its tables, and gets the application id', async (t) => {
  const path = join(temporaryFolder(t), 'duebell.db')
  const idOf = () => {
    using database = new DatabaseSync(path)
    return Object.values(database.prepare('pragma application_id').get() ?? {})[0]
  }
  await openOnce(path)
  assert.equal(idOf(), 0x44756265)
  {
    using database = new DatabaseSync(path)
    database.exec('pragma application_id = 0')
  }
  assert.deepEqual(await openOnce(path), [])
  assert.equal(idOf(), 0x44756265)
})

test('tables that a user adds to a file of ours are no reason to refuse it', async (t) => {
  const path = join(temporaryFolder(t), 'duebell.db')
  await openOnce(path)
  {
    using database = new DatabaseSync(path)
    database.exec('create table albums (id integer primary key)')
  }
  await openOnce(path)
})

test('a directory is refused with a sentence', async (t) => {
  const folder = temporaryFolder(t)
  assert.equal(
    await refusal(folder),
    `The database file ${folder} cannot be opened: it is a directory. Name a file in --database-url.`,
  )
})

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const nobody = 65_534
const isRoot = process.geteuid?.() === 0

/** The output of a server that cannot start, run by a user other than root: root may write everywhere. */
function complaint(path: string): string {
  const { status, stderr } = spawnSync(
    process.execPath,
    [main, 'serve', '--port', '0', '--database-url', `sqlite:${path}`],
    { env: { PATH: process.env.PATH }, encoding: 'utf8', ...(isRoot && { uid: nobody, gid: nobody }) },
  )
  assert.equal(status, 2, stderr)
  return stderr
}

test('a file or a folder without write permission is refused with a sentence, and is not changed', async (t) => {
  const above = temporaryFolder(t)
  const folder = join(above, 'data')
  mkdirSync(folder)
  const path = join(folder, 'duebell.db')
  await openOnce(path)
  if (isRoot) for (const name of [above, folder, path]) chownSync(name, nobody, nobody)
  const before = contents(folder)
  const remedy = 'permission denied. Let the user that runs Duebell read and write the file and its folder.\n'
  chmodSync(path, 0o400)
  assert.equal(complaint(path), `duebell: The database file ${path} cannot be opened for writing: ${remedy}`)
  chmodSync(path, 0o600)
  chmodSync(folder, 0o500)
  assert.equal(complaint(path), `duebell: The folder ${folder} of the database file cannot be written to: ${remedy}`)
  const other = join(folder, 'new.db')
  assert.equal(complaint(other), `duebell: The database file ${other} cannot be created: ${remedy}`)
  chmodSync(folder, 0)
  assert.equal(complaint(path), `duebell: The database file ${path} cannot be opened: ${remedy}`)
  chmodSync(folder, 0o700)
  assert.deepEqual(contents(folder), before)
})

test('a read-only file system is named', async (t) => {
  const disk = smallDisk(t, '4m')
  if (!disk) return
  const path = join(disk.folder, 'duebell.db')
  await openOnce(path)
  disk.remount('ro')
  assert.match(await refusal(path), /: the file system is read-only\. Mount it for writing, or name another file\.$/)
})

test('a damaged file is named, with the way to save its readable rows', async (t) => {
  const path = join(temporaryFolder(t), 'duebell.db')
  await openOnce(path)
  const bytes = readFileSync(path)
  bytes.fill(0xa5, 100, 2_048) // the first page holds the names of all tables
  writeFileSync(path, bytes)
  const { ended, output } = spawnServer(t, ['--database-url', `sqlite:${path}`])
  assert.equal((await ended).code, 2)
  assert.match(
    output.stderr,
    /^duebell: The database file .*duebell\.db is damaged: .+\. Stop the server and copy .* Then restore a backup, or save what can be read by: sqlite3 .*duebell\.db \.recover \| sqlite3 repaired\.db\n$/,
  )
  assert.deepEqual(readFileSync(path), bytes)
})

test('after the migrations the file alone has everything: a backup of a new server needs no log', async (t) => {
  const path = join(temporaryFolder(t), 'duebell.db')
  const copy = join(temporaryFolder(t), 'copy.db')
  await openOnce(path, () => copyFileSync(path, copy))
  using database = new DatabaseSync(copy, { readOnly: false })
  database.exec('pragma locking_mode = exclusive')
  const tables = database.prepare("select name from sqlite_schema where type = 'table'").all()
  assert.ok(tables.some(({ name }) => name === 'tasks'))
})
