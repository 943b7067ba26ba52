import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Operation } from '#api/operation.ts'
import { operations } from '#api/operations.ts'
import { createClient, type DuebellClient } from '#client/client.ts'
import { clientTable, clientTableFile } from '#openapi/client-table.ts'
import { operationsOf } from '#openapi/document.ts'
import { readDocument } from '#openapi/generate.ts'
import { membersOf } from '#openapi/operations.ts'

/** The events are for programs that watch processes and are not written in TypeScript. */
const withoutMethod = ['isAlive', 'isReady', 'getMetrics']
/** The lists whose pages a method follows. */
const iterators = ['Tasks', 'Trash', 'Notifications', 'TaskNotifications', 'Users', 'Audit'].map(
  (name) => `iterate${name}`,
)

const all: readonly Operation[] = Object.values(operations)

interface Asked {
  readonly request: string
  readonly body: unknown
  readonly headers: Headers
}

/** A client whose requests are recorded; the response to each is an empty object, or the given one. */
function recordingClient(answer: () => unknown = () => ({})) {
  const asked: Asked[] = []
  const fetch = async (url: URL, { method = 'GET', body, headers }: RequestInit) => {
    const { pathname, search } = url
    asked.push({
      request: `${method} ${pathname}${search}`,
      body: body === undefined ? undefined : JSON.parse(String(body)),
      headers: new Headers(headers),
    })
    return new Response(JSON.stringify(answer()))
  }
  return { client: createClient('http://127.0.0.1:1', { fetch: fetch as typeof globalThis.fetch }), asked }
}
const methodsOf = (client: DuebellClient) => client as unknown as Record<string, (...args: unknown[]) => unknown>

test('the table of the client matches src/api (npm run openapi)', () => {
  assert.equal(readFileSync(clientTableFile, 'utf8'), clientTable())
})

test('the client has a method for every operation of the document, and no other', () => {
  const ids = [...operationsOf(readDocument()).keys()].filter((id) => !withoutMethod.includes(id))
  // A variant shares its path and method, and so its entry in the document, with another operation.
  const variants = all.filter(({ variantOf }) => variantOf !== undefined).map(({ id }) => id)
  assert.deepEqual(Object.keys(recordingClient().client).sort(), [...ids, ...variants, ...iterators].sort())
})

test('each method sends its arguments: path, body, query, options', async () => {
  const { client, asked } = recordingClient()
  for (const { id, method, path, body, query, requestHeaders = [] } of all) {
    if (id === 'followEvents') continue // it sends its request when it is read, and reconnects forever: see test/api
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => (name === 'id' ? 7 : `some/${name}`))
    const hasQuery = Object.keys(membersOf(query)).length > 0
    const args = [...parts, ...(body ? [{ x: 1 }] : []), ...(hasQuery ? [{ limit: 3 }] : []), { ifVersion: 5 }]
    await methodsOf(client)[id]?.(...args)
    const filled = parts.reduce<string>((text, part) => text.replace(/\{\w+\}/, encodeURIComponent(part)), path)
    const { request, body: sent, headers } = asked.at(-1) ?? assert.fail()
    assert.equal(request, `${method} ${filled}${hasQuery ? '?limit=3' : ''}`, id)
    assert.deepEqual(sent, body ? { x: 1 } : undefined, id)
    // A stream is only read.
    if (id !== 'exportUser') assert.equal(headers.get('if-match'), '"5"', id)
    if (requestHeaders.includes('idempotency-key')) assert.match(headers.get('idempotency-key') ?? '', /^\w{32}$/, id)
  }
})

test('a method can be called without optional arguments', async () => {
  const { client, asked } = recordingClient()
  await client.listTasks()
  await client.deleteTasks()
  await client.completeTask(7)
  await client.retryNotification(7)
  assert.deepEqual(
    asked.map(({ request, body }) => [request, body]),
    [
      ['GET /v1/tasks', undefined],
      ['DELETE /v1/tasks', undefined],
      ['POST /v1/tasks/7/complete', undefined],
      ['POST /v1/notifications/7/retry', undefined],
    ],
  )
})

test('a list of ids is one parameter, a tag one or several, a flag a word, undefined nothing', async () => {
  const { client, asked } = recordingClient()
  await client.listTasks({ ids: [1, 2], tag: ['a b', 'c'], count: true, q: undefined })
  await client.listTasks({ tag: 'a', count: false })
  assert.deepEqual(
    asked.map(({ request }) => request),
    ['GET /v1/tasks?ids=1%2C2&tag=a+b&tag=c&count=true', 'GET /v1/tasks?tag=a&count=false'],
  )
})

test('options become headers', async () => {
  const { client, asked } = recordingClient()
  await client.updateTasks({ tasks: [] }, { strict: true, minimal: true })
  await client.putTaskByKey('key', { title: 'x' }, { ifExists: false, minimal: true })
  await client.deleteTask(7, { ifVersion: [1, 2] })
  await client.deleteTasks({ status: 'completed' }, { ifEtag: '"c7.1"' })
  await client.createTask({ title: 'x' }, { idempotencyKey: 'k' })
  const names = ['prefer', 'if-match', 'if-none-match', 'idempotency-key']
  assert.deepEqual(
    asked.map(({ headers }) => names.map((name) => headers.get(name))),
    [
      ['handling=strict, return=minimal', null, null, null],
      ['return=minimal', null, '*', null],
      [null, '"1", "2"', null, null],
      [null, '"c7.1"', null, null],
      [null, null, null, 'k'],
    ],
  )
})

test('a list is read page by page', async () => {
  const pages = [
    { total: null, tasks: [{ id: 1 }, { id: 2 }], next_cursor: 'a+b' },
    { tasks: [{ id: 3 }], next_cursor: null },
  ]
  const tasks = recordingClient(() => pages.shift())
  const ids = await Array.fromAsync(tasks.client.iterateTasks({ tag: 'a' }, { pageSize: 2 }), ({ id }) => id)
  assert.deepEqual(ids, [1, 2, 3])
  assert.deepEqual(
    tasks.asked.map(({ request }) => request),
    ['GET /v1/tasks?tag=a&limit=2', 'GET /v1/tasks?tag=a&limit=2&cursor=a%2Bb'],
  )
  const ofTask = recordingClient(() => ({ notifications: [{ id: 9 }], next_cursor: null }))
  assert.deepEqual(await Array.fromAsync(ofTask.client.iterateTaskNotifications(7)), [{ id: 9 }])
  assert.equal(ofTask.asked[0]?.request, 'GET /v1/tasks/7/notifications?limit=1000')
})

test('exactly the operations without a JSON response have methods written by hand', () => {
  assert.deepEqual(
    all.filter(({ media }) => media).map(({ id }) => id),
    ['exportUser', 'followEvents'],
  )
})

/** Never called: the compiler checks each line, and `@ts-expect-error` fails where there is no error. */
export async function typesOfTheClient(client: DuebellClient) {
  // The types of results.
  const task = await client.createTask({ title: 'x' })
  task.title satisfies string
  const mark = await client.updateTask(7, { title: 'x' }, { minimal: true })
  // @ts-expect-error a minimal response has no title
  mark.title
  const { tasks, missing } = await client.updateTasks({ tasks: [{ id: 1 }] })
  tasks[0]?.title satisfies string | undefined
  missing satisfies number[]
  for await (const { deliveries } of client.iterateNotifications({ status: 'failed' }))
    deliveries[0]?.attempts satisfies number | undefined
  for await (const event of client.followEvents({ types: ['task.expired'] }))
    if (event.type !== 'reset') event.data.task?.title satisfies string | undefined

  // The arguments of methods.
  // @ts-expect-error the title is required
  client.createTask({})
  // @ts-expect-error a misspelt member
  client.createTask({ titel: 'x' })
  // @ts-expect-error the path has an id
  client.getTask('7')
  // @ts-expect-error no such state
  client.listTasks({ status: 'opne' })
  // @ts-expect-error a list has no order of pages to choose
  client.iterateTasks({ cursor: 'x' })
  // @ts-expect-error all upcoming reminders come at once
  client.iterateUpcoming()

  // The options of an operation.
  client.getTask(7, { ifVersion: 3 })
  // @ts-expect-error a GET has no If-Match for a missing task
  client.getTask(7, { ifExists: false })
  // @ts-expect-error many tasks have no version
  client.deleteTasks({}, { ifVersion: 3 })
  // @ts-expect-error a new task has none either
  client.createTask({ title: 'x' }, { ifVersion: 3 })
  // @ts-expect-error a single task cannot be skipped
  client.updateTask(7, {}, { strict: true })
  // @ts-expect-error the server keeps no record of a PATCH
  client.updateTask(7, {}, { idempotencyKey: 'k' })
}
