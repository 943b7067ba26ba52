import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '#client/client.ts'
import { operationsOf } from '#openapi/document.ts'
import { readDocument } from '#openapi/generate.ts'

/** Methods that are not named as their operation is. Older ones are shorter, and PUT does to one task what PATCH does. */
const methods: Record<string, string> = {
  getHealth: 'health',
  listTasks: 'list',
  createTask: 'create',
  getTask: 'get',
  updateTask: 'update',
  putTask: 'update',
  updateTasks: 'updateMany',
  deleteTask: 'delete',
  deleteTasks: 'deleteMany',
  getTaskByKey: 'getByKey',
  putTaskByKey: 'putByKey',
  listTags: 'tags',
  listUpcoming: 'upcoming',
  listTrash: 'trash',
  restoreTasks: 'restore',
  acknowledgeNotification: 'acknowledge',
  acknowledgeNotifications: 'acknowledgeUpTo',
  retryNotification: 'retry',
  retryNotifications: 'retryChannel',
  listChanges: 'changes',
  followEvents: 'events',
  completeTask: 'complete',
  reopenTask: 'reopen',
  snoozeTask: 'snooze',
  listChannelKinds: 'channelKinds',
  listChannels: 'channels',
  getChannel: 'channel',
  rotateChannelSecret: 'rotateSecret',
  getSettings: 'settings',
  getSession: 'session',
  listTokens: 'tokens',
  listUsers: 'users',
  getUser: 'user',
  listAudit: 'audit',
  listNotifications: 'notifications',
  getNotification: 'notification',
  listTaskNotifications: 'taskNotifications',
}
/** Asked by what watches processes, which speaks no TypeScript. */
const withoutMethod = ['isAlive', 'isReady', 'getMetrics']
/** For no operation of their own: made of others. */
const composed = ['iterate', 'deleteAll']

const operations = operationsOf(readDocument())
const expected = [...operations.keys()].filter((id) => !withoutMethod.includes(id)).map((id) => methods[id] ?? id)

test('the client has a method for every operation', () => {
  const client: Record<string, unknown> = createClient('http://127.0.0.1:1')
  const missing = expected.filter((name) => typeof client[name] !== 'function')
  assert.deepEqual(missing, [], 'methods to be added to src/client/client.ts')
})

test('the client has nothing for no operation', () => {
  const known = new Set([...expected, ...composed])
  assert.deepEqual(
    Object.keys(createClient('http://127.0.0.1:1')).filter((name) => !known.has(name)),
    [],
  )
})

test('no exception is made for an operation that is not there', () => {
  const named = [...Object.keys(methods), ...withoutMethod]
  assert.deepEqual(
    named.filter((id) => !operations.has(id)),
    [],
  )
})

test('each method asks for its operation, at its path', async () => {
  const asked: string[] = []
  const client: Record<string, (...args: unknown[]) => Promise<unknown>> = createClient('http://127.0.0.1:1', {
    fetch: (async (url: URL, { method }: RequestInit) => {
      asked.push(`${method ?? 'GET'} ${decodeURIComponent(url.pathname)}`)
      return new Response('{}')
    }) as typeof fetch,
  }) as never
  for (const [id, { method, path }] of operations) {
    const name = methods[id] ?? id
    // A stream asks only when it is read, and then comes back for ever: test/api has it.
    if (withoutMethod.includes(id) || id === 'putTask' || id === 'followEvents') continue
    // Arguments are what the path names, in its order; whatever else a method takes is not looked at here.
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, part]) => (part === 'id' ? 7 : `some/${part}`))
    await client[name]?.(...parts, {})
    const expectedPath = [...parts].reduce<string>((text, part) => text.replace(/\{\w+\}/, String(part)), path)
    assert.equal(asked.at(-1), `${method.toUpperCase()} ${expectedPath}`, id)
  }
})
