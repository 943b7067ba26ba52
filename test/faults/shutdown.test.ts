import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TaskWire } from '#api/schemas/task.ts'
import { createClient, type DuebellClient, ProblemError } from '#client/client.ts'
import { eventually } from '#kit/eventually.ts'
import { type ServerProcess, spawnServer } from '#kit/server-process.ts'
import { type Receiver, startReceiver } from '#kit/webhook-receiver.ts'
import { temporaryFolder } from '#support/databases.ts'

/** The real server and its shutdown. */

/** Starts servers on one file, with a webhook to one receiver. */
async function fixture(t: TestContext) {
  const folder = temporaryFolder(t)
  const receiver: Receiver = await startReceiver(t)
  const config = join(folder, 'config.json')
  const { url, secret } = receiver
  writeFileSync(config, JSON.stringify({ channels: [{ name: 'hook', kind: 'webhook', options: { url, secret } }] }))
  return {
    receiver,
    async start() {
      const server = spawnServer(t, ['--config', config, '--database-url', `sqlite:${folder}/duebell.db`])
      const url = await server.ready
      return { server, url, client: createClient(url, { tries: 1 }) }
    },
  }
}

async function end({ child, ended }: ServerProcess, signal: NodeJS.Signals = 'SIGTERM') {
  const askedAt = Date.now()
  child.kill(signal)
  return { ...(await ended), ms: Date.now() - askedAt }
}

const dueNow = () => ({ title: 'Due', expiry_dt: new Date(Date.now() + 60_000).toISOString() })
const hookOf = async (client: DuebellClient, id: number) =>
  (await client.listTaskNotifications(id)).notifications[0]?.deliveries.find(({ kind }) => kind === 'webhook')

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal} ends an idle server at once, with code 0, and says so`, async (t) => {
    const { start } = await fixture(t)
    const { server, client } = await start()
    await client.getHealth() // leaves an idle connection open
    const { code, ms } = await end(server, signal)
    assert.equal(code, 0, server.output.stderr)
    assert.ok(ms < 5_000, `it took ${ms} ms`)
    assert.match(server.output.stdout, new RegExp(`"msg":"${signal}: finishing the work in progress"`))
    assert.equal(server.output.stderr, '')
  })

for (const [when, flags, line] of [
  ['starts', [], /Created an empty database/],
  ['waits for its database', ['--database-url', 'postgres://duebell@127.0.0.1:1/duebell'], /waiting up to 60 s/],
] as const)
  test(`a signal while the server ${when} ends it with code 0`, async (t) => {
    const file = `sqlite:${temporaryFolder(t)}/duebell.db`
    const server = spawnServer(t, ['--database-url', file, ...flags])
    while (!line.test(server.output.stdout)) await once(server.child.stdout as Readable, 'data')
    const { code, ms } = await end(server)
    assert.equal(code, 0, server.output.stderr)
    assert.ok(ms < 9_000, `it took ${ms} ms`)
    assert.equal(server.output.stderr, '')
  })

test('an attempt in flight is finished, recorded, and not repeated', async (t) => {
  const { receiver, start } = await fixture(t)
  let answer = () => {}
  receiver.answer = (_, response) => {
    answer = () => response.writeHead(204).end()
  }
  const { server, client } = await start()
  const { id } = await client.createTask(dueNow())
  await eventually('the receiver has it', () => receiver.receipts.length === 1)
  const ending = end(server)
  await eventually('it is about to stop', () => server.output.stdout.includes('finishing the work in progress'))
  answer()
  const { code, ms } = await ending
  assert.equal(code, 0, server.output.stderr)
  assert.ok(ms < 7_000, `it took ${ms} ms`)

  receiver.answer = (_, response) => response.writeHead(204).end()
  const next = await start()
  const delivery = await hookOf(next.client, id)
  assert.deepEqual([delivery?.state, delivery?.attempts], ['sent', 1])
  // A later task has been delivered, so a repeated attempt would have arrived by now.
  await next.client.createTask(dueNow())
  await eventually('the next one has come', () => receiver.receipts.length >= 2)
  assert.equal(new Set(receiver.receipts.map((receipt) => receipt.id)).size, 2)
  assert.equal((await end(next.server)).code, 0)
})

test('a receiver that hangs delays the stop by at most 10 s; its notification is sent again after the next start', async (t) => {
  const { receiver, start } = await fixture(t)
  receiver.answer = () => {}
  const { server, client } = await start()
  const { id } = await client.createTask(dueNow())
  await eventually('the receiver has it', () => receiver.receipts.length === 1)
  const { code, ms } = await end(server)
  assert.equal(code, 0, server.output.stderr)
  assert.ok(ms < 11_000, `it took ${ms} ms`)

  receiver.answer = (_, response) => response.writeHead(204).end()
  const next = await start()
  await eventually('it came again', () => receiver.receipts.length === 2, 5_000) // at once, not when a lease ends
  assert.equal(receiver.receipts[0]?.id, receiver.receipts[1]?.id)
  await eventually('it is written down', async () => (await hookOf(next.client, id))?.state === 'sent')
  assert.equal((await end(next.server)).code, 0)
})

test('a second signal ends it at once, with code 1', async (t) => {
  const { receiver, start } = await fixture(t)
  receiver.answer = () => {}
  const { server, client } = await start()
  await client.createTask(dueNow())
  await eventually('the receiver has it', () => receiver.receipts.length === 1)
  server.child.kill('SIGTERM')
  await eventually('it is about to stop', () => server.output.stdout.includes('finishing the work in progress'))
  const { code, ms } = await end(server)
  assert.equal(code, 1)
  assert.ok(ms < 5_000, `it took ${ms} ms`)
})

/** A raw connection. */
async function connectTo(t: TestContext, url: string) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  const closed = once(socket, 'close')
  let received = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text
  })
  return { socket, closed, received: () => received }
}

test('a client that never ends its request delays neither the stop nor pending deliveries', async (t) => {
  const { receiver, start } = await fixture(t)
  receiver.answer = () => {}
  const { server, client, url } = await start()
  await client.createTask(dueNow())
  await eventually('the receiver has it', () => receiver.receipts.length === 1)
  const { socket } = await connectTo(t, url)
  socket.on('error', () => {}) // it is cut off
  socket.write(
    'POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
  )
  await client.getHealth() // so that the server has read the earlier data
  const { code, ms } = await end(server)
  assert.equal(code, 0, server.output.stderr)
  assert.ok(ms < 11_000, `it took ${ms} ms`)
})

test('a request during the stop gets a problem that says so, and its connection is closed', async (t) => {
  const { start } = await fixture(t)
  const { server, client, url } = await start()
  const { socket, closed, received } = await connectTo(t, url)
  socket.write('GET /v1/tasks HTTP/1.1\r\n') // half of a request, so that the connection is not idle
  await client.getHealth()
  const ending = end(server)
  await eventually('it is about to stop', () => server.output.stdout.includes('finishing the work in progress'))
  socket.write('Host: localhost\r\n\r\n')
  await closed
  const [head = '', body = ''] = received().split('\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 503 /)
  assert.match(head, /^content-type: application\/problem\+json(;|$)/im)
  assert.match(head, /^connection: close$/im)
  assert.match(head, /^retry-after: \d+$/im)
  assert.equal(JSON.parse(body).detail, 'The server is stopping.')
  assert.equal((await ending).code, 0)
})

test('stopped under load, it loses no acknowledged write and no notification, and sends nothing twice', async (t) => {
  const { receiver, start } = await fixture(t)
  receiver.answer = async (_, response) => {
    await delay(Math.random() * 10)
    response.writeHead(204).end()
  }
  const answered = new Map<number, TaskWire>()
  let refusals = 0
  let { server, client } = await start()
  for (let round = 0; round < 3; round++) {
    let isOver = false
    const write = async () => {
      while (!isOver)
        try {
          const task = await client.createTask(dueNow())
          answered.set(task.id, task)
        } catch (error) {
          if (error instanceof ProblemError && error.status !== 503) throw error
          refusals++
          return
        }
    }
    const enough = answered.size + 30
    const writing = Promise.all([write(), write(), write(), write()])
    await eventually('some are written', () => answered.size >= enough)
    const { code, ms } = await end(server)
    assert.equal(code, 0, server.output.stderr)
    assert.ok(ms < 5_000, `it took ${ms} ms`)
    isOver = true
    await writing
    ;({ server, client } = await start())
  }
  assert.ok(refusals >= 3, 'it was stopped while they wrote')
  const stored = new Map((await Array.fromAsync(client.iterateTasks())).map((task) => [task.id, task]))
  for (const [id, task] of answered) assert.deepEqual(stored.get(id), task)
  const received = () => new Set(receiver.receipts.map(({ taskId }) => taskId))
  await eventually('all have been told', () => [...stored.keys()].every((id) => received().has(id)))
  assert.equal((await end(server)).code, 0)
  assert.equal(receiver.receipts.length, received().size, 'each once')
  assert.deepEqual(receiver.faults, [])
  t.diagnostic(`${answered.size} answered writes, ${receiver.receipts.length} notifications, 3 stops under load`)
})

test('subscribers of events do not delay the stop, under load and whether they read or not', async (t) => {
  const { start } = await fixture(t)
  const { server, client, url } = await start()
  const streams = await Promise.all(Array.from({ length: 100 }, () => connectTo(t, url)))
  const stalled = streams.slice(0, 10)
  for (const stream of streams) {
    stream.socket.on('error', () => {}) // some are cut off
    const path = stalled.includes(stream) ? '/v1/events' : '/v1/events?types=task.deleted'
    stream.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }
  const polls = Array.from({ length: 20 }, () =>
    fetch(`${url}/v1/events?types=task.deleted&wait=60`, { headers: { accept: 'application/json' } }),
  )
  await eventually('all are told something', () =>
    streams.every(({ received }) => received().startsWith('HTTP/1.1 200')),
  )
  for (const { socket } of stalled) socket.pause()
  let isOver = false
  let answered = 0
  const write = async () => {
    while (!isOver)
      try {
        await client.createTask({ title: 'Large', description: 'x'.repeat(60_000) })
        answered++
      } catch {
        return
      }
  }
  const writing = Promise.all([write(), write()])
  await eventually('more is written than buffers hold', () => answered >= 200)
  const { code, ms } = await end(server)
  isOver = true
  await writing
  assert.equal(code, 0, server.output.stderr)
  assert.ok(ms < 5_000, `it took ${ms} ms`)
  for (const { socket } of stalled) socket.resume()
  await Promise.all(streams.map(({ closed }) => closed))
  for (const answer of polls) assert.deepEqual(((await (await answer).json()) as { events: [] }).events, [])
  t.diagnostic(`${answered} written, 120 followers, ended after ${ms} ms`)
})

/** Runs a server that cannot start. */
async function failure(t: TestContext, flags: string[], env: Record<string, string> = {}) {
  const { ended, output } = spawnServer(t, flags, env)
  const { code } = await ended
  // Earlier events are logged, such as that a new database was created.
  const others = output.stdout.split('\n').filter((line) => line !== '' && !/Created an empty database/.test(line))
  assert.deepEqual(others, [])
  assert.doesNotMatch(output.stderr, /^ +at /m, 'no stack')
  return { code, lines: output.stderr.trimEnd().split('\n') }
}

test('a configuration with faults ends with code 2 and a sentence for each of them', async (t) => {
  const { code, lines } = await failure(
    t,
    ['--port', '99999', '--tim-zone', 'UTC', '--default-reminders', '15 minutes', '--config', '/there/is/none.json'],
    { DUEBELL_LOG_LEVEL: 'loud' },
  )
  assert.equal(code, 2)
  for (const line of lines) assert.match(line, /^duebell: /)
  for (const fault of [
    /--port: must be <= 65535/,
    /--tim-zone: is not known; did you mean --time-zone\?/,
    /--default-reminders\/0: must be an ISO 8601 duration/,
    /\/there\/is\/none\.json: cannot be read/,
    /DUEBELL_LOG_LEVEL: must be one of/,
  ])
    assert.equal(lines.filter((line) => fault.test(line)).length, 1, `${fault} in\n${lines.join('\n')}`)
  assert.equal(lines.length, 5)
})

test('a port in use, and an address that other machines could reach, end with code 2 and one sentence', async (t) => {
  const folder = temporaryFolder(t)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const database = ['--database-url', `sqlite:${folder}/duebell.db`]
  const taken = await failure(t, ['--port', String(port), ...database])
  assert.deepEqual(
    [taken.code, taken.lines],
    [2, [`duebell: Port ${port} on 127.0.0.1 is in use. Stop the other process, or choose another port with --port.`]],
  )
  const open = await failure(t, ['--host', '0.0.0.0', ...database])
  assert.equal(open.code, 2)
  assert.equal(open.lines.length, 1)
  assert.match(open.lines[0] as string, /^duebell: 0\.0\.0\.0 can be reached from other machines/)
})
