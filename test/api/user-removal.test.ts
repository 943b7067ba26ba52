import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { issue } from '#actions/tokens.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { insertAudit } from '#store/audit.ts'
import type { Store } from '#store/engine/open.ts'
import { type Schema, tables } from '#store/schema.ts'
import { type Account, clientWith, type LoginApp, password, signIn, startWithLogin } from '#support/accounts.ts'
import { dumpDatabase } from '#support/dump-database.ts'
import { type DateTimeInput, failingDatabase } from '#support/failing-database.ts'
import { insertMany } from '#support/many-tasks.ts'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'

/** A user is deleted with all their data: for good, at once for every caller, whatever fails on the way. */
const startAt = '2026-12-01T09:00:00Z'
const [hourMs, dayMs] = [3_600_000, 86_400_000]

const owned = (Object.keys(tables) as (keyof Schema)[]).filter(
  // The audit log keeps the user's operations for longer than the user exists.
  (table) => table !== 'audit' && 'user_id' in tables[table].columns,
) as 'tasks'[]

/** The tables that have rows of a user, and their numbers. */
async function rowsOf({ db }: Store, userId: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const table of owned) {
    const rows = await db.selectFrom(table).selectAll().where('user_id', '=', userId).execute()
    if (rows.length > 0) found[table] = rows.length
  }
  return found
}

/** One object of every kind that a user can have; each contains a unique word. */
async function fill({ app }: LoginApp, { client, token, id }: Account, word: string) {
  await client.updateSettings({ time_zone: 'Europe/Paris', quiet_hours: { from: '22:00', until: '07:00' } })
  await client.createChannel({ name: `Phone of ${word}`, kind: 'recording' })
  const expiry_dt = new Date(app.clock.now() + hourMs).toISOString()
  await client.createTask({ title: `${word} rings`, description: `${word}s`, expiry_dt, tags: [word], key: word })
  const deleted = await client.createTask({ title: `${word} is deleted` })
  await client.deleteTask(deleted.id)
  const headers = { authorization: `Bearer ${token}`, 'idempotency-key': word }
  await wireTo(app.url)('POST', '/v1/tasks', { headers, body: { title: `${word} is asked for once` } })
  await signIn(app.url, word)
  const expiresAt = app.clock.now() + 10 * hourMs
  await app.app.store.transact((tx, now) => issue(tx, id, 'invitation', { name: word, scope: 'admin', expiresAt }, now))
  // The state after an incomplete recompute.
  const place = { begun_at: 1, is_past: 0, expiry_at: 1, task_id: 1, tasks: 1 }
  await app.app.store.db
    .insertInto('recomputes')
    .values({ user_id: id, stale_at: 1, ...place })
    .execute()
  await app.clock.advance(hourMs)
}

test('a user is deleted with all their data, and with none of others', async (t) => {
  const login = await startWithLogin(t, { startAt, channels: [] })
  const { app, root, add } = login
  const { store } = app.app
  const [ada, bob] = [await add('zanzibar'), await add('mombasa')]
  await fill(login, bob, 'mombasa')
  await fill(login, ada, 'zanzibar')
  const before = await rowsOf(store, ada.id)
  assert.deepEqual(Object.keys(before).toSorted(), owned.toSorted(), 'he has some of everything')
  const found = await bob.client.listTasks({ q: 'mombasa' })
  assert.equal(found.tasks.length, 2)

  const refused = await refusal(root.client.deleteUser(ada.id))
  assert.deepEqual([refused.status, refused.message.includes('Disable')], [409, true])
  assert.deepEqual(await rowsOf(store, ada.id), before)
  await root.client.updateUser(ada.id, { disabled: true })
  assert.equal((await refusal(root.client.deleteUser(ada.id, { ifVersion: 1 }))).status, 412)
  const others = await rowsOf(store, bob.id)
  assert.deepEqual(await root.client.deleteUser(ada.id, { ifVersion: 2 }), { id: ada.id })

  assert.deepEqual(await rowsOf(store, ada.id), {})
  const left = [...(await dumpDatabase(store))].filter(([, rows]) => rows.includes('zanzibar'))
  assert.deepEqual(
    left.map(([table]) => table),
    ['audit'],
    'nothing holds his words, the index of the search neither',
  )
  assert.deepEqual(await rowsOf(store, bob.id), others)
  assert.deepEqual(await bob.client.listTasks({ q: 'mombasa' }), found)
  assert.equal((await bob.client.getSettings()).time_zone, 'Europe/Paris')

  for (const request of [
    () => root.client.getUser(ada.id),
    () => root.client.updateUser(ada.id, { disabled: false }),
    () => root.client.deleteUser(ada.id),
    () => root.client.signOutUser(ada.id),
    async () => (await root.page()).inviteUser(ada.id),
  ])
    assert.equal((await refusal(request())).status, 404)
  assert.equal((await refusal(ada.client.listTasks())).status, 401)
  assert.equal((await refusal(clientWith(app.url, '').signIn({ login: 'zanzibar', password }))).status, 401)

  const next = await add('zanzibar')
  assert.ok(next.id > bob.id, 'another may have the name, and not the number')
  assert.deepEqual((await next.client.listTasks()).tasks, [])
  assert.equal((await next.client.getSettings()).time_zone, 'UTC')
})

test('the first user cannot be deleted: a server without login uses that account', async (t) => {
  const { root, add } = await startWithLogin(t)
  const ada = await add('ada', { role: 'admin' })
  await ada.client.updateUser(root.id, { disabled: true })
  const { status, message } = await refusal(ada.client.deleteUser(root.id))
  assert.deepEqual([status, message.includes('first user')], [409, true])
})

test('from the first moment on no caller sees data of the user, although rows of it still exist', async (t) => {
  const login = await startWithLogin(t, { startAt, channels: [] })
  const { app, root, add } = login
  const ada = await add('ada')
  await ada.client.createChannel({ name: 'Phone', kind: 'recording' })
  app.recorder.answer = () => ({ retry: true, reason: '503 Service Unavailable' })
  await ada.client.createTask({ title: 'underway', expiry_dt: '2026-12-01T09:10:00Z' })
  await ada.client.createTask({ title: 'to ring', expiry_dt: '2026-12-01T09:18:00Z' })
  await app.clock.advance(1_000)
  assert.equal(app.recorder.messages.length, 1)
  await beginToDelete(login, ada.id)
  await app.clock.advanceTo('2026-12-01T09:04:00Z')
  assert.equal(app.recorder.messages.length, 1)
  assert.equal((await rowsOf(app.app.store, ada.id)).tasks, 2)
  assert.equal((await refusal(root.client.getUser(ada.id))).status, 404)
  assert.deepEqual((await root.client.listUsers()).users.length, 1)
  await app.clock.advance(hourMs)
  assert.deepEqual(await rowsOf(app.app.store, ada.id), {})
})

/** The state of a server that was killed just after the deletion has begun. */
async function beginToDelete({ app, root }: LoginApp, id: number) {
  await root.client.updateUser(id, { disabled: true })
  await app.app.store.transact((tx, now) =>
    tx.updateTable('users').set({ removed_at: now }).where('id', '=', id).execute(),
  )
  await root.client.updateUser(root.id, { email: null }) // so that every process sees it
}

/** Deletes a user with some tasks on a database that fails at the n-th statement. @returns the number of statements, if none failed */
async function deleteDying(t: TestContext, login: LoginApp, n: number, when: DateTimeInput): Promise<number> {
  const { app, root } = login
  const name = `${when}-${n}`.replace('Infinity', 'never')
  let database = failingDatabase()
  await app.restart({ wrapDatabase: database.wrap })
  const { id } = await root.client.createUser({ name })
  const { secret } = await app.app.store.transact((tx, now) =>
    issue(tx, id, 'token', { name, scope: 'admin', expiresAt: null }, now),
  )
  await insertMany(app.app.store, 1_200, { user_id: id })
  await clientWith(app.url, secret).createTask({ title: name })
  await root.client.updateUser(id, { disabled: true })
  await app.clock.whenIdle()

  const from = database.statements.length
  database.dieAt(n, when)
  const answer = await root.client.deleteUser(id).catch((error: unknown) => error)
  const count = database.statements.length - from
  assert.ok(database.isFailed || !(answer instanceof Error), String(answer))
  assert.ok(database.isFailed || n === Number.POSITIVE_INFINITY, `it is done before statement ${n}`)
  if (database.isFailed) {
    await stopWithFakeClock(app.clock, app.stop(), database)
    database = failingDatabase()
    await app.restart({ wrapDatabase: database.wrap })
  }
  // Either the deletion has begun, and continues, or it has not, and the user exists unchanged.
  const there = await app.app.store.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  const tasks = (await rowsOf(app.app.store, id)).tasks ?? 0
  t.diagnostic(`${when} statement ${n} of ${count}: ${there ? `there, ${tasks} tasks` : 'gone'}`)
  if (there && there.removed_at === null) {
    assert.equal(tasks, 1_201)
    await root.client.deleteUser(id)
  } else await app.clock.advance(hourMs)
  assert.deepEqual(await rowsOf(app.app.store, id), {})
  assert.equal((await refusal(root.client.getUser(id))).status, 404)
  return count
}

test('a deletion interrupted by a crash, at any statement, continues after the next start', async (t) => {
  const login = await startWithLogin(t, { startAt })
  await login.root.client.createTask({ title: 'of another' })
  const count = await deleteDying(t, login, Number.POSITIVE_INFINITY, 'before')
  // The statements that change something are fewer: 25 of 64 on SQLite, of 65 on PostgreSQL.
  for (const part of [0.1, 0.25, 0.5, 0.75])
    for (const when of ['before', 'after'] as const)
      await deleteDying(t, login, Math.ceil(count * part * (when === 'after' ? 0.34 : 1)), when)
  await deleteDying(t, login, 1, 'before')
  assert.deepEqual(
    (await login.root.client.listTasks()).tasks.map(({ title }) => title),
    ['of another'],
  )
})

test('a server that is stopped meanwhile says so, and a repeated request after its start completes the deletion', async (t) => {
  const { app, root } = await startWithLogin(t)
  const { id } = await root.client.createUser({ name: 'ada' })
  await insertMany(app.app.store, 2_500, { user_id: id })
  await root.client.updateUser(id, { disabled: true })
  const deleting = root.client.deleteUser(id).catch((error: unknown) => error)
  const begun = () => app.app.store.db.selectFrom('users').select('removed_at').where('id', '=', id).executeTakeFirst()
  await eventually('it has begun', async () => (await begun())?.removed_at !== null)
  await app.stop()
  const answer = await deleting
  await app.restart()
  // The deletion may have been almost complete.
  assert.ok(!(answer instanceof Error) || /stopping/.test(answer.message), String(answer))
  assert.equal((await refusal(root.client.deleteUser(id))).status, 404, 'to everybody who asks he is gone')
  await app.clock.advance(hourMs)
  assert.deepEqual(await rowsOf(app.app.store, id), {})
})

test('tokens are purged a day after they expired, entries of the audit log after 400 days', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt })
  const { store } = app.app
  const soon = '2026-12-01T10:00:00Z'
  const { id, token } = await root.client.createToken({ name: 'a', scopes: ['read'], expires_dt: soon })
  const isThere = async () =>
    (await store.db.selectFrom('tokens').select('id').where('id', '=', id).executeTakeFirst()) !== undefined
  await app.clock.advanceTo('2026-12-02T09:00:00Z')
  assert.equal((await refusal(clientWith(app.url, token).listTasks())).message, 'The token has expired.')
  assert.ok(await isThere())
  await app.clock.advanceTo('2026-12-02T12:00:00Z')
  assert.ok(!(await isThere()))
  assertProblem(await wireTo(app.url)('GET', '/v1/tasks', { headers: { authorization: `Bearer ${token}` } }), 401)
  await root.client.listTasks()

  const entry = { userId: 1, who: 'root', byKind: null, byName: null, object: '/', status: 200, address: null }
  const at = (days: number) => app.clock.now() - days * dayMs
  await store.transact((tx) =>
    insertAudit(tx, [
      { ...entry, at: at(399), operation: 'kept', requestId: 'a' },
      { ...entry, at: at(401), operation: 'forgotten', requestId: 'b' },
    ]),
  )
  await app.clock.advance(hourMs)
  const operations = (await root.client.listAudit()).entries.map(({ operation }) => operation)
  assert.ok(operations.includes('kept') && operations.includes('createToken'))
  assert.ok(!operations.includes('forgotten'))
})
