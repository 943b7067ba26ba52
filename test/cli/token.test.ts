import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type CommandEnvironment, tokenCreate } from '#cli/token.ts'
import { createClient, ProblemError } from '#client/client.ts'
import { rawRequest } from '#kit/http-requests.ts'
import { duebell } from '#kit/server-process.ts'
import { openStore } from '#store/engine/open.ts'
import { findUser } from '#store/users.ts'
import { freshDatabase, testDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { startTestApp } from '#support/test-app.ts'

/** `duebell token create`, on the server's machine: access to the database replaces a token. */
const isEmbedded = testDatabase === 'sqlite'

function command(databaseUrl: string, ...argv: string[]) {
  const environment: CommandEnvironment = {
    argv: [...argv, `--database-url=${databaseUrl}`],
    env: {},
    readFile: () => assert.fail('no file is read'),
    systemTimeZone: 'Europe/Paris',
    clock: fakeClock(),
  }
  return tokenCreate(environment)
}

/** A server, and the URL of its database. */
async function start(t: Parameters<typeof startTestApp>[0]) {
  const databaseUrl = await freshDatabase(t)
  const app = await startTestApp(t, { flags: ['--login', `--database-url=${databaseUrl}`] })
  return { databaseUrl, app }
}

test('while the server runs', async (t) => {
  const { databaseUrl, app } = await start(t)

  await t.test('the token is valid at once, with its scope', async () => {
    const { token, about } = await command(databaseUrl, '--name=watcher', '--scopes=read,write')
    assert.match(about, /^Token \d+ of the first user, with the scope write, is valid until it is revoked\./)
    const client = createClient(app.url, { token, tries: 1 })
    assert.equal((await client.createTask({ title: 'x' })).id, 1)
    await assert.rejects(client.listChannels(), (error) => error instanceof ProblemError && error.status === 403)
  })

  await t.test('it expires at the given time, in the time zone of the caller', async () => {
    const { token, about } = await command(databaseUrl, '--scopes', 'admin', '--expires', '2027-01-01')
    assert.match(about, /until 2026-12-31T23:00:00\.000Z/)
    const { tokens } = await createClient(app.url, { token, tries: 1 }).listTokens()
    assert.equal(tokens[0]?.expires_dt, '2026-12-31T23:00:00.000Z')
    const elsewhere = await command(databaseUrl, '--expires', '2027-01-01', '--time-zone=America/New_York')
    assert.match(elsewhere.about, /until 2027-01-01T05:00:00\.000Z/)
  })

  await t.test('it may be for another user, named by a flag', async () => {
    const { token } = await command(databaseUrl)
    await createClient(app.url, { token }).createUser({ name: 'ada', password: 'correct horse battery' })
    const theirs = await command(databaseUrl, '--user=ada', '--scopes=read')
    assert.match(theirs.about, /of ada, /)
    assert.equal((await createClient(app.url, { token: theirs.token }).getSession()).user?.name, 'ada')
    await assert.rejects(command(databaseUrl, '--user=eve'), /There is no user «eve»/)
  })

  await t.test(
    'over a socket that only the server’s own user can open',
    { skip: !isEmbedded && 'not embedded' },
    async () => {
      const path = `${databaseUrl.replace('sqlite:', '')}.sock`
      assert.equal(statSync(path).mode & 0o777, 0o600)
      await command(databaseUrl, '--user=ada')
      const { token } = await command(databaseUrl)
      const [entry] = (await createClient(app.url, { token }).listAudit({ user_id: 2 })).entries
      assert.deepEqual(
        [entry?.operation, entry?.by, entry?.by_name, entry?.address],
        ['createToken', 'socket', 'on the server itself', null],
      )
      await app.stop()
      assert.equal(statSync(path, { throwIfNoEntry: false }), undefined, 'gone with the server')
    },
  )
})

test('a request over the network has none of these rights, whatever its headers claim', async (t) => {
  const { app } = await start(t)
  const answer = await rawRequest(app.url, ['GET /v1/tokens HTTP/1.1', 'Host: localhost', 'Duebell-User: 1'])
  assert.equal(answer.status, 401)
})

test('without a running server the database is opened, and created if needed', async (t) => {
  const databaseUrl = await freshDatabase(t)
  const { token } = await command(databaseUrl)
  const app = await startTestApp(t, { flags: ['--login', `--database-url=${databaseUrl}`] })
  assert.equal((await createClient(app.url, { token }).listTasks()).tasks.length, 0)
  assert.ok(!app.lines.join('').includes('/set-up#'), 'a user can sign in, so no setup link is printed')
})

test('it changes no settings of the server: its own time zone is not saved', async (t) => {
  const databaseUrl = await freshDatabase(t)
  const app = await startTestApp(t, { flags: ['--time-zone=Asia/Tokyo', `--database-url=${databaseUrl}`] })
  await app.stop()
  await command(databaseUrl, '--time-zone=America/New_York', '--default-reminders=P1D')
  await using store = await openStore(databaseUrl, { clock: fakeClock(), onBroken() {} })
  assert.deepEqual((await findUser(store.db, 1))?.defaults, {
    reminders: ['PT15M'],
    dayReminders: ['PT0S'],
    dayTime: '09:00',
    timeZone: 'Asia/Tokyo',
  })
})

test('an error is a sentence, and creates nothing', async (t) => {
  const databaseUrl = await freshDatabase(t)
  for (const [argv, words] of [
    [['--scopes=wriet'], /--scopes: «wriet» is not a scope; did you mean write\?/],
    [['--expires=tomorrow'], /--expires: must be a time/],
    [['--expires=2020-01-01'], /is past/],
    [['--name='], /--name: requires a value/],
    [['--name'], /--name: requires a value/],
    [[`--name=${'x'.repeat(101)}`], /at most 100 characters/],
    [['--nmae=x'], /--nmae: is not known/],
  ] as const)
    await assert.rejects(command(databaseUrl, ...argv), words)
  await using store = await openStore(databaseUrl, { clock: fakeClock(), onBroken() {} })
  assert.deepEqual(await store.db.selectFrom('tokens').selectAll().execute(), [])
})

test('the program prints the token alone to standard output', {
  skip: !isEmbedded && 'once is enough',
}, async (t) => {
  const databaseUrl = await freshDatabase(t)
  const run = (...argv: string[]) =>
    promisify(execFile)(process.execPath, [...duebell, 'token', ...argv], { env: { PATH: process.env.PATH } })
  const { stdout, stderr } = await run('create', '--database-url', databaseUrl)
  assert.match(stdout, /^dbl_[0-9A-Za-z]{49}\n$/)
  // A mistyped path also creates a database, which no server ever opens.
  assert.match(stderr, /^Created an empty database at \/.+\.\nToken 1 of the first user/)
  assert.match((await run('create', '--database-url', databaseUrl)).stderr, /^Token 2 of the first user/)
  await assert.rejects(run('create', '--scopes', 'all'), { code: 2 })
  await assert.rejects(run('mint'), { code: 2 })
  assert.match((await run('create', '--help')).stdout, /^Usage: duebell token create/)
})
