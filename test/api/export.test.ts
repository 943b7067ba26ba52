import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '#kit/eventually.ts'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { startReceiver } from '#kit/webhook-receiver.ts'
import { type Account, type LoginApp, startWithLogin } from '#support/accounts.ts'
import { failingDatabase } from '#support/failing-database.ts'
import { insertMany } from '#support/many-tasks.ts'

/** The export of all data of a user, for example before deletion: one JSON object a line. */
const startAt = '2026-12-01T09:00:00Z'
type Line = { type: string } & Record<string, Record<string, unknown>>

const exported = async ({ root }: LoginApp, { id }: Account): Promise<Line[]> => {
  const text = await new Response(await root.client.exportUser(id)).text()
  assert.ok(text.endsWith('\n'))
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

async function withSome({ app }: LoginApp, { client }: Account, word: string, url: string) {
  await client.updateSettings({ quiet_hours: { from: '22:00', until: '07:00' }, default_reminders: ['PT30M'] })
  const options = { url, secret: 'whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5' }
  await client.createChannel({ name: `Hook of ${word}`, kind: 'webhook', options })
  const due = await client.createTask({ title: `${word} rings`, expiry_dt: '2026-12-01T09:45:00Z', tags: [word] })
  await client.createTask({ title: `${word} has no expiry`, description: 'two\nlines' })
  const { id } = await client.createTask({ title: `${word} is deleted` })
  await client.deleteTask(id)
  await app.app.idle()
  return client.getTask(due.id)
}

test('the export has all data of the user and none of others, in the terms of the API, without secrets', async (t) => {
  const flags = ['--member-hosts=127.0.0.1']
  const login = await startWithLogin(t, { startAt, flags, channels: [] })
  const { app, root, add } = login
  const receiver = await startReceiver(t)
  const [ada, bob] = [await add('ada', { email: 'ada@example.org' }), await add('bob')]
  await withSome(login, bob, 'mombasa', `${receiver.url}/of-bob`)
  const task = await withSome(login, ada, 'zanzibar', `${receiver.url}/of-ada`)
  await app.clock.advanceTo('2026-12-01T09:15:00Z')

  const lines = await exported(login, ada)
  assert.deepEqual(
    lines.map(({ type }) => type),
    ['user', 'settings', 'channel', 'channel', 'task', 'task', 'trashed', 'notification'],
  )
  for (const line of lines) assert.deepEqual(Object.keys(line), ['type', line.type])
  const [user, settings, console, channel, first, , , notification] = lines.map((line) => line[line.type])
  assert.deepEqual(user, await root.client.getUser(ada.id))
  const { is_own: _, web_push_key: __, ...ofAda } = await ada.client.getSettings()
  assert.deepEqual(settings, ofAda)
  assert.deepEqual([console?.name, channel?.name, channel?.options], ['console', 'Hook of zanzibar', {}])
  assert.deepEqual(first, task)
  assert.deepEqual(notification, (await ada.client.listNotifications()).notifications[0])

  const text = JSON.stringify(lines)
  for (const foreign of ['mombasa', 'bob', 'of-bob']) assert.ok(!text.includes(foreign), foreign)
  for (const secret of ['whsec_', 'of-ada', ada.token, 'argon2', 'dbl_']) assert.ok(!text.includes(secret), secret)

  const headers = { authorization: `Bearer ${root.token}` }
  const answer = await wireTo(app.url)('HEAD', `/v1/users/${ada.id}/export`, { headers })
  assert.deepEqual(
    ['content-type', 'content-disposition', 'cache-control'].map((name) => answer.headers.get(name)),
    ['application/jsonl', `attachment; filename="duebell-user-${ada.id}.jsonl"`, 'no-store'],
  )
})

test('a disabled user can be exported before deletion; a user who is not an administrator can export no user', async (t) => {
  const login = await startWithLogin(t)
  const { root, add } = login
  const ada = await add('ada')
  await ada.client.createTask({ title: 'a' })
  assert.equal((await refusal(ada.client.exportUser(root.id))).status, 403)
  assert.equal((await refusal(ada.client.exportUser(ada.id))).status, 403)
  assert.equal((await refusal(root.client.exportUser(99))).status, 404)
  await root.client.updateUser(ada.id, { disabled: true })
  assert.ok((await exported(login, ada)).some(({ task }) => task?.title === 'a'))
})

test('many tasks are read as fast as the client takes them: a slow or disconnected client costs no memory', async (t) => {
  const database = failingDatabase()
  const login = await startWithLogin(t, { wrapDatabase: database.wrap })
  const { app, root, add } = login
  const ada = await add('ada')
  // Pages of 500 tasks: 5 MB each, of which the sockets on the way buffer one or two.
  const pages = 6
  await insertMany(app.app.store, 500 * pages - 1, { user_id: ada.id, description: 'x'.repeat(10_000) })
  const read = () => database.statements.filter((text) => /^select .* offset /.test(text)).length

  const before = read()
  const going = new AbortController()
  const reader = (await root.client.exportUser(ada.id, { signal: going.signal })).getReader()
  await reader.read()
  let seen = -1
  // The server reads nothing while the client takes nothing.
  await eventually('it waits', async () => {
    const isSame = seen === read()
    seen = read()
    await root.client.listUsers()
    return isSame
  })
  assert.ok(read() - before < pages, `${read() - before} of ${pages} pages`)
  going.abort()
  await assert.rejects(reader.read())
  await app.stop() // which waits for requests in flight
  assert.ok(read() - before < pages, 'nobody reads on for one who is gone')

  await app.restart()
  const tasks = (await exported(login, ada)).filter(({ type }) => type === 'task')
  assert.equal(new Set(tasks.map(({ task }) => task?.id)).size, 500 * pages - 1)
})
