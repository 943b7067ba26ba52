import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { fastify } from 'fastify'
import { eventually } from '#kit/eventually.ts'
import { manualEventLoop } from '#support/manual-event-loop.ts'
import { type Admission, admitRequests, createAdmission } from './admission.ts'

/** Admission control, and what happened to the requests that came to it. */
function start() {
  const loop = manualEventLoop()
  const timers: { ms: number; callback: () => void }[] = []
  const admission = createAdmission(loop.eventLoop, (ms, callback) => timers.push({ ms, callback }))
  const started = new Map<number, number>()
  const rejected: number[] = []
  /** @param costMs of the turn in which it starts */
  const come = (id: number, costMs = 0, size: 'ordinary' | 'large' = 'ordinary') =>
    admission.enqueue(
      (now) => {
        started.set(id, admission.takeSlot(now, size))
        loop.pass(costMs)
      },
      () => rejected.push(id),
      size,
    )
  const go = (id: number, size?: 'large') => {
    admission.releaseSlot(started.get(id) as number, size)
    started.delete(id)
  }
  const comeAll = (from: number, to: number, costMs = 0) => {
    for (let id = from; id <= to; id++) come(id, costMs)
  }
  return { ...loop, admission, timers, started, rejected, come, comeAll, go }
}

test('64 requests are in flight at once; when one is answered, the next starts', () => {
  const { comeAll, started, go, turnAll } = start()
  comeAll(1, 70)
  turnAll()
  assert.deepEqual([started.size, started.has(64), started.has(65)], [64, true, false])
  go(10)
  turnAll()
  assert.deepEqual([started.size, started.has(65), started.has(66)], [64, true, false])
})

test('a slot that is never released stops counting, though no further request comes', () => {
  const { comeAll, come, started, rejected, timers, pass, turnAll } = start()
  comeAll(1, 64)
  pass(1_900)
  come(65)
  turnAll()
  assert.deepEqual([started.has(65), timers.map(({ ms }) => ms)], [false, [1_000]])
  pass(100)
  for (const { callback } of timers) callback()
  turnAll()
  assert.deepEqual([started.has(65), rejected], [true, []])
})

test('slots that are released late take none from others', () => {
  const { admission, eventLoop, comeAll, started, pass, turnAll } = start()
  const old = Array.from({ length: 64 }, () => admission.takeSlot(eventLoop.now()))
  pass(5_000)
  comeAll(1, 64)
  turnAll()
  assert.equal(started.size, 64)
  for (const slot of old) admission.releaseSlot(slot)
  comeAll(65, 65)
  turnAll()
  assert.equal(started.size, 64)
})

test('a request that has waited for two seconds is rejected; while overloaded, new ones are rejected at once', () => {
  const { come, started, rejected, pass, turn, turnAll } = start()
  come(1, 10)
  come(2)
  pass(1_999)
  turnAll()
  assert.deepEqual([started.has(2), rejected], [true, []], 'just before')

  come(3, 10)
  come(4)
  pass(900)
  come(5, 10)
  come(6)
  pass(1_100)
  turn()
  turn() // 4 has waited for two seconds; 5 for less, and has a turn of its own
  assert.deepEqual([started.has(5), rejected], [true, [4]])
  come(7)
  turnAll()
  assert.deepEqual([started.has(6), started.has(7), rejected], [true, false, [4, 7]])
})

test('the overload ends when a request starts that has not waited for long', () => {
  const { come, started, rejected, pass, turn, turnAll } = start()
  come(1, 10)
  come(2)
  pass(2_000)
  turnAll()
  assert.deepEqual(rejected, [2])
  come(3, 10)
  come(4)
  turn()
  come(5)
  turnAll()
  assert.deepEqual([[...started.keys()], rejected], [[1, 3, 4, 5], [2]])
})

test('one long turn, after which all continue as before, rejects no request', () => {
  const { comeAll, come, started, rejected, turnAll } = start()
  come(1, 5_000) // waited for the disk
  comeAll(2, 50)
  turnAll()
  assert.deepEqual([started.size, rejected], [50, []])
})

test('urgent requests have a share of their own, whatever waits in the queues', () => {
  const { admission, come, comeAll, pass, turnAll } = start()
  let asked = 0
  come(1, 10)
  comeAll(2, 100)
  pass(4_000)
  admission.enqueueUrgent(() => asked++)
  assert.equal(asked, 1)
  turnAll()
  admission.enqueueUrgent(() => asked++)
  assert.equal(asked, 2)
})

test('a small request waits for one large one, however many large ones there are', () => {
  const { come, started, turn, go } = start()
  for (let id = 100; id < 140; id++) come(id, 40, 'large')
  come(1)
  come(2)
  assert.deepEqual([started.has(1), started.has(2)], [true, true], 'they do not wait in the queue of the large ones')
  const large = () => [...started.keys()].filter((id) => id >= 100).length
  for (let id = 3; id < 20; id++) {
    const before = large()
    turn()
    assert.ok(large() <= before + 1, 'one large request a turn')
    come(id)
    turn() // the share of the turn before was used up
    assert.ok(started.has(id))
    go(id)
  }
  assert.ok(large() > 10, 'the large ones continue')
})

test('large requests have slots of their own, and are rejected on their own', () => {
  const { come, comeAll, started, rejected, pass, turnAll, go } = start()
  comeAll(1, 64)
  for (let id = 100; id < 120; id++) come(id, 0, 'large')
  turnAll()
  assert.deepEqual([started.has(115), started.has(116)], [true, false], '16 large ones, beside all others')
  assert.ok(started.has(64), 'and 64 ordinary ones')
  go(100, 'large')
  turnAll()
  assert.deepEqual([started.has(116), started.has(117)], [true, false])
  pass(2_000)
  go(101, 'large')
  turnAll()
  assert.ok(rejected.includes(117))
  const before = rejected.length
  come(65)
  turnAll()
  assert.deepEqual([started.has(65), rejected.length], [true, before])
})

test('rejections share the event loop like all else', () => {
  const { admission, pass, turn } = start()
  let count = 0
  for (let i = 0; i < 20; i++)
    admission.enqueueRejection(() => {
      count++
      pass(1)
    })
  assert.equal(count, 4)
  turn()
  turn()
  assert.equal(count, 8)
})

/** A server with admission control, whose event loop the test turns. */
async function startServer(t: TestContext) {
  const loop = manualEventLoop()
  const counts = { rejected: 0, logged: 0 }
  const server = fastify({ forceCloseConnections: true })
  const log = { warn: () => counts.logged++ }
  const inFlight = { now: 0, max: 0 }
  const sizes: (string | undefined)[] = []
  const inner = createAdmission(loop.eventLoop)
  const admission: Admission = {
    ...inner,
    takeSlot(now, size) {
      sizes.push(size)
      inFlight.max = Math.max(inFlight.max, ++inFlight.now)
      return inner.takeSlot(now, size)
    },
    releaseSlot(slot, size) {
      inFlight.now--
      inner.releaseSlot(slot, size)
    },
  }
  admitRequests(server, admission, { log, onRejected: () => counts.rejected++ })
  server.get('/', async () => 'served')
  server.get('/long', { config: { longRunning: true } }, async () => 'served')
  server.get('/how', { config: { bypassLimits: true } }, async () => 'well')
  server.get('/fails', async () => {
    throw new Error('fails')
  })
  server.get('/taken-over', (_, reply) => {
    reply.hijack()
    reply.raw.end('by the route')
  })
  server.post('/', async ({ body }) => body)
  const isLarge = (_: unknown, body: unknown) => Array.isArray(body)
  server.post('/many', { config: { isLarge } }, async ({ body }) => body)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  let arrived = 0
  server.server.on('request', () => arrived++)
  /** Resolves when this many requests have arrived. */
  const arrival = async (count: number) => {
    while (arrived < count) await new Promise(setImmediate)
  }
  return { ...loop, url, inFlight, sizes, counts, arrival }
}

test('a rejected request gets a problem with Retry-After; a health check is answered', async (t) => {
  const { url, counts, arrival, pass, turnAll } = await startServer(t)
  assert.equal(await (await fetch(url)).text(), 'served')
  pass(10) // the share of this turn is used up
  const waiting = fetch(`${url}/?a="b"`)
  await arrival(2)
  pass(2_000)
  turnAll()
  const response = await waiting
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('retry-after'), '2')
  assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  const { request_id, ...problem } = (await response.json()) as Record<string, unknown>
  assert.equal(response.headers.get('x-request-id'), request_id)
  assert.deepEqual(problem, {
    type: '/problems/unavailable',
    title: 'Temporarily unavailable',
    status: 503,
    detail: 'The server is overloaded. Try again later.',
    instance: '/',
  })
  assert.deepEqual(counts, { rejected: 1, logged: 1 })
  assert.equal(await (await fetch(`${url}/how`)).text(), 'well')
})

test('every response releases the slot, however it comes about', async (t) => {
  const { url, inFlight } = await startServer(t)
  const json = { 'content-type': 'application/json' }
  for (const path of ['/', '/long', '/how', '/nowhere', '/fails', '/taken-over']) await fetch(url + path)
  for (const body of ['{"a":1}', '{"a":', '']) await fetch(url, { method: 'POST', headers: json, body })
  await eventually('all slots are released', () => inFlight.now === 0, 5_000)
  assert.equal(inFlight.max, 1)
})

test('a request of which only the body tells that it is large waits once more, among the large ones', async (t) => {
  const { url, sizes, arrival, pass, turnAll } = await startServer(t)
  const send = async (body: string) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    return (await fetch(`${url}/many`, init)).text()
  }
  assert.equal(await send('{}'), '{}')
  assert.deepEqual(sizes.splice(0), ['ordinary', 'ordinary'])
  assert.equal(await send('[]'), '[]')
  assert.deepEqual(sizes.splice(0), ['ordinary', 'large'])

  const [first, second] = [send('[1]'), send('[2]')]
  await arrival(4)
  await eventually('one of them has begun', () => sizes.includes('large'), 5_000)
  pass(10) // the share of the large ones in this turn is used up
  await eventually('both bodies are there', () => sizes.filter((size) => size === 'ordinary').length === 2, 5_000)
  for (let i = 0; i < 4; i++) turnAll()
  assert.deepEqual([await first, await second].sort(), ['[1]', '[2]'])
  assert.deepEqual(sizes.sort(), ['large', 'large', 'ordinary', 'ordinary'])
})

test('a body that is still to come holds no slot, whether its length is known or not', async (t) => {
  const { url, inFlight, arrival } = await startServer(t)
  const { hostname, port, host } = new URL(url)
  const known = { header: 'Content-Length: 2', body: '{}' }
  const chunked = { header: 'Transfer-Encoding: chunked', body: '2\r\n{}\r\n0\r\n\r\n' }
  const slow = Array.from({ length: 64 }, (_, i) => {
    const { header, body } = i % 2 === 0 ? known : chunked
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {}) // the server cuts it off where this test fails
    socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${header}\r\n\r\n`)
    return { socket, body }
  })
  await arrival(64)
  assert.equal(inFlight.now, 0)
  const another = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  assert.equal(await another.text(), 'served')

  for (const { socket, body } of slow) {
    socket.write(body)
    const [answer] = await once(socket, 'data')
    assert.match(String(answer), /^HTTP\/1\.1 200 /)
  }
  await eventually('all slots are released', () => inFlight.now === 0, 5_000)
})
