import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ConnectionLimits } from '#http/limits/connections.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, rawRequest } from '#kit/http-requests.ts'
import { migratedDatabase } from '#support/databases.ts'
import { startLiveApp } from '#support/live-app.ts'

/** Clients that are slow, silent or many, with short limits. All connections here are raw. */

async function start(t: TestContext, connections: Partial<ConnectionLimits>) {
  const { app, client } = await startLiveApp(t, await migratedDatabase(t), { connections })
  const { hostname, port, host } = new URL(app.url)

  async function open(): Promise<Socket> {
    const socket = connect(Number(port), hostname)
    t.after(() => socket.destroy())
    socket.on('error', () => {}) // it is cut off
    await once(socket, 'connect')
    return socket
  }

  /** Sends the beginning of a request, and returns all data until the server closes the connection. */
  async function sendAndWait(head: readonly string[], body = ''): Promise<string> {
    const socket = await open()
    let text = ''
    socket.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    socket.write(head.join('\r\n') + body)
    await once(socket, 'close')
    return text
  }

  async function ask(socket: Socket, path: string) {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await once(socket, 'data')
  }

  return { url: app.url, client, host, open, ask, sendAndWait }
}

/** @param text a raw response */
function assertTimeout(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 408 /)
  assert.match(head, /^content-type: application\/problem\+json/im)
  const { status, detail } = JSON.parse(body)
  assert.deepEqual([status, detail], [408, 'The request did not arrive in time.'])
}

test('headers that do not end get 408, and the connection is closed', async (t) => {
  const { host, sendAndWait } = await start(t, { headersMs: 50, checkMs: 10 })
  assertTimeout(await sendAndWait(['GET /v1/tasks HTTP/1.1', `Host: ${host}`, 'X-Slow: ']))
})

test('a connection without any data is closed too', async (t) => {
  const { sendAndWait } = await start(t, { headersMs: 50, checkMs: 10 })
  assertTimeout(await sendAndWait([]))
})

test('a body that does not end gets 408, and has no effect', async (t) => {
  const { host, client, sendAndWait } = await start(t, { headersMs: 40, requestMs: 50, checkMs: 10 })
  const head = [
    'POST /v1/tasks HTTP/1.1',
    `Host: ${host}`,
    'Content-Type: application/json',
    'Content-Length: 99',
    '',
    '',
  ]
  assertTimeout(await sendAndWait(head, '{"title":"Ren'))
  assert.deepEqual((await client.listTasks()).tasks, [])
})

test('a client that does not read its response is cut off; until then it uses no memory of others', async (t) => {
  const { client, url, host, open } = await start(t, { stalledMs: 1_000, maxUnreadBytes: 12_000_000 })
  const description = 'x'.repeat(60_000)
  await Promise.all(Array.from({ length: 150 }, (_, i) => client.createTask({ title: `Large ${i}`, description })))
  const large = '/v1/tasks?limit=1000'
  const wanted = (await (await fetch(url + large)).text()).length
  assert.ok(wanted > 9_000_000 && wanted < 12_000_000)

  const stalled = await open()
  stalled.pause()
  stalled.write(`GET ${large} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const ask = () => rawRequest(url, [`GET ${large} HTTP/1.1`, `Host: ${host}`])
  let refused = await ask()
  await eventually(
    'its answer waits',
    async () => {
      if (refused.status !== 503) refused = await ask()
      return refused.status === 503
    },
    30_000,
  )
  assertProblem(refused, 503, 'large responses')
  assert.equal(refused.headers.get('retry-after'), '5')
  assert.equal((await client.listTasks({ limit: 10 })).tasks.length, 10, 'a small answer is given')
  await eventually('it is cut off', async () => (await ask()).status === 200, 5_000)

  let got = 0
  stalled.on('data', (piece) => {
    got += piece.length
  })
  stalled.resume()
  await once(stalled, 'close')
  assert.ok(got < wanted, `it had ${got} of ${wanted} bytes, in buffers`)
})

test('a response that takes long to produce is not cut off', async (t) => {
  const { url } = await start(t, { stalledMs: 20, nearIdleMs: 20, requestMs: 40, headersMs: 30, checkMs: 10 })
  const response = await fetch(`${url}/v1/events?wait=1`, { headers: { accept: 'application/json' } })
  assert.deepEqual([response.status, ((await response.json()) as { events: [] }).events], [200, []])
})

test('if idle connections hold all slots, the one idle for longest is closed; busy ones stay', async (t) => {
  const { url, host, open, ask } = await start(t, { maxConnections: 4, nearIdleMs: 600_000 })
  const working = await open()
  working.write(`GET /v1/events HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await once(working, 'data')
  const idle = await Promise.all(Array.from({ length: 3 }, open))
  for (const socket of idle) await ask(socket, '/livez')
  const closed = once(idle[0]?.resume() as Socket, 'close')
  const text = await (await fetch(`${url}/metrics`)).text()
  await closed
  assert.deepEqual([working.closed, idle[1]?.closed, idle[2]?.closed], [false, false, false])
  assert.match(text, /^duebell_http_refused_total\{reason="connections"\} 1$/m)
})

test('if connections with unfinished headers hold all slots, all other clients still get a response at once', async (t) => {
  const { url, host, open } = await start(t, { maxConnections: 20 })
  const attackers = await Promise.all(Array.from({ length: 20 }, open))
  for (const socket of attackers) socket.resume().write(`GET /livez HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `)
  const gone = attackers.slice(0, 5).map((socket) => once(socket, 'close'))
  for (let i = 0; i < 5; i++) {
    const answer = await rawRequest(url, ['GET /livez HTTP/1.1', `Host: ${host}`])
    assert.equal(answer.status, 200)
    await open() // they reconnect
  }
  await Promise.all(gone)
})
