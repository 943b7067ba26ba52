import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { fastify } from 'fastify'
import { handTurnedLoop } from '#support/hand-turned-loop.ts'
import { until } from '#support/live-app.ts'
import { type Admission, admitRequests, openAdmission } from './admission.ts'

/** A gate, and what becomes of those who come to it. */
function start() {
  const loop = handTurnedLoop()
  const alarms: { ms: number; callback: () => void }[] = []
  const gate = openAdmission(loop.turns, (ms, callback) => alarms.push({ ms, callback }))
  const inside = new Map<number, number>()
  const refused: number[] = []
  /** @param costMs of the turn, from when it is let in */
  const come = (who: number, costMs = 0, size: 'ordinary' | 'large' = 'ordinary') =>
    gate.enter(
      (now) => {
        inside.set(who, gate.takePlace(now, size))
        loop.pass(costMs)
      },
      () => refused.push(who),
      size,
    )
  const go = (who: number, size?: 'large') => {
    gate.givePlaceBack(inside.get(who) as number, size)
    inside.delete(who)
  }
  const comeAll = (from: number, to: number, costMs = 0) => {
    for (let who = from; who <= to; who++) come(who, costMs)
  }
  return { ...loop, gate, alarms, inside, refused, come, comeAll, go }
}

test('64 are underway at once; when one is answered, the next is let in', () => {
  const { comeAll, inside, go, turnAll } = start()
  comeAll(1, 70)
  turnAll()
  assert.deepEqual([inside.size, inside.has(64), inside.has(65)], [64, true, false])
  go(10)
  turnAll()
  assert.deepEqual([inside.size, inside.has(65), inside.has(66)], [64, true, false])
})

test('a place that is not given back is not counted for long, though nobody comes any more', () => {
  const { comeAll, come, inside, refused, alarms, pass, turnAll } = start()
  comeAll(1, 64)
  pass(1_900)
  come(65)
  turnAll()
  assert.deepEqual([inside.has(65), alarms.map(({ ms }) => ms)], [false, [1_000]])
  pass(100)
  for (const { callback } of alarms) callback()
  turnAll()
  assert.deepEqual([inside.has(65), refused], [true, []])
})

test('places given back late, or twice as late, are not taken from others', () => {
  const { gate, turns, comeAll, inside, pass, turnAll } = start()
  const old = Array.from({ length: 64 }, () => gate.takePlace(turns.now()))
  pass(5_000)
  comeAll(1, 64)
  turnAll()
  assert.equal(inside.size, 64)
  for (const place of old) gate.givePlaceBack(place)
  comeAll(65, 65)
  turnAll()
  assert.equal(inside.size, 64)
})

test('who has waited for two seconds is refused, and whoever comes while the line stands, at once', () => {
  const { come, inside, refused, pass, turn, turnAll } = start()
  come(1, 10)
  come(2)
  pass(1_999)
  turnAll()
  assert.deepEqual([inside.has(2), refused], [true, []], 'a moment before')

  come(3, 10)
  come(4)
  pass(900)
  come(5, 10)
  come(6)
  pass(1_100)
  turn()
  turn() // 4 has waited for two seconds; 5 for less, and has a turn of its own
  assert.deepEqual([inside.has(5), refused], [true, [4]])
  come(7)
  turnAll()
  assert.deepEqual([inside.has(6), inside.has(7), refused], [true, false, [4, 7]])
})

test('the line opens again when one is let in that has not waited for long', () => {
  const { come, inside, refused, pass, turn, turnAll } = start()
  come(1, 10)
  come(2)
  pass(2_000)
  turnAll()
  assert.deepEqual(refused, [2])
  come(3, 10)
  come(4)
  turn()
  come(5)
  turnAll()
  assert.deepEqual([[...inside.keys()], refused], [[1, 3, 4, 5], [2]])
})

test('one long turn, after which all go on as before, makes nobody be refused', () => {
  const { comeAll, come, inside, refused, turnAll } = start()
  come(1, 5_000) // the disk had to be waited for
  comeAll(2, 50)
  turnAll()
  assert.deepEqual([inside.size, refused], [50, []])
})

test('what is urgent has a share of its own, before and behind whatever line', () => {
  const { gate, come, comeAll, pass, turnAll } = start()
  let asked = 0
  come(1, 10)
  comeAll(2, 100)
  pass(4_000)
  gate.enterUrgently(() => asked++)
  assert.equal(asked, 1)
  turnAll()
  gate.enterUrgently(() => asked++)
  assert.equal(asked, 2)
})

test('who asks for little waits for one of those who ask for much, however many they are', () => {
  const { come, inside, turn, go } = start()
  for (let who = 100; who < 140; who++) come(who, 40, 'large')
  come(1)
  come(2)
  assert.deepEqual([inside.has(1), inside.has(2)], [true, true], 'the line of the others is not theirs')
  const large = () => [...inside.keys()].filter((who) => who >= 100).length
  for (let who = 3; who < 20; who++) {
    const before = large()
    turn()
    assert.ok(large() <= before + 1, 'one of them a turn')
    come(who)
    turn() // where its own share of the turn was used up
    assert.ok(inside.has(who))
    go(who)
  }
  assert.ok(large() > 10, 'and they go on')
})

test('those who ask for much have places of their own, and are refused by themselves', () => {
  const { come, comeAll, inside, refused, pass, turnAll, go } = start()
  comeAll(1, 64)
  for (let who = 100; who < 120; who++) come(who, 0, 'large')
  turnAll()
  assert.deepEqual([inside.has(115), inside.has(116)], [true, false], '16 of them, whoever else is there')
  assert.ok(inside.has(64), 'and 64 others')
  go(100, 'large')
  turnAll()
  assert.deepEqual([inside.has(116), inside.has(117)], [true, false])
  pass(2_000)
  go(101, 'large')
  turnAll()
  assert.ok(refused.includes(117))
  const before = refused.length
  come(65)
  turnAll()
  assert.deepEqual([inside.has(65), refused.length], [true, before])
})

test('refusals take turns like all else', () => {
  const { gate, pass, turn } = start()
  let refused = 0
  for (let i = 0; i < 20; i++)
    gate.refuse(() => {
      refused++
      pass(1)
    })
  assert.equal(refused, 4)
  turn()
  turn()
  assert.equal(refused, 8)
})

/** A server behind a gate whose turns the test makes. */
async function startServer(t: TestContext) {
  const loop = handTurnedLoop()
  const counts = { refused: 0, logged: 0 }
  const server = fastify({ forceCloseConnections: true })
  const log = { warn: () => counts.logged++ }
  const inFlight = { now: 0, max: 0 }
  const inner = openAdmission(loop.turns)
  const gate: Admission = {
    ...inner,
    takePlace(now) {
      inFlight.max = Math.max(inFlight.max, ++inFlight.now)
      return inner.takePlace(now)
    },
    givePlaceBack(place) {
      inFlight.now--
      inner.givePlaceBack(place)
    },
  }
  admitRequests(server, gate, { log, onRefused: () => counts.refused++ })
  server.get('/', async () => 'served')
  server.get('/long', { config: { isLong: true } }, async () => 'served')
  server.get('/how', { config: { isUrgent: true } }, async () => 'well')
  server.get('/fails', async () => {
    throw new Error('fails')
  })
  server.get('/taken-over', (_, reply) => {
    reply.hijack()
    reply.raw.end('by the route')
  })
  server.post('/', async ({ body }) => body)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  let arrived = 0
  server.server.on('request', () => arrived++)
  /** Resolves when so many requests have arrived. */
  const arrival = async (count: number) => {
    while (arrived < count) await new Promise(setImmediate)
  }
  return { ...loop, url, inFlight, counts, arrival }
}

test('a request that is refused gets a problem, and when to come back; whoever asks how the server is gets an answer', async (t) => {
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
    title: 'Not available just now',
    status: 503,
    detail: 'More is asked of the server than it can answer just now.',
    instance: '/',
  })
  assert.deepEqual(counts, { refused: 1, logged: 1 })
  assert.equal(await (await fetch(`${url}/how`)).text(), 'well')
})

test('whoever is answered, however that comes about, gives the place back', async (t) => {
  const { url, inFlight } = await startServer(t)
  const json = { 'content-type': 'application/json' }
  for (const path of ['/', '/long', '/how', '/nowhere', '/fails', '/taken-over']) await fetch(url + path)
  for (const body of ['{"a":1}', '{"a":', '']) await fetch(url, { method: 'POST', headers: json, body })
  await until('all have', 5_000, () => inFlight.now === 0)
  assert.equal(inFlight.max, 1)
})

test('a body that is still to come holds no place, whether its length is known or not', async (t) => {
  const { url, inFlight, arrival } = await startServer(t)
  const { hostname, port, host } = new URL(url)
  const known = { header: 'Content-Length: 2', body: '{}' }
  const chunked = { header: 'Transfer-Encoding: chunked', body: '2\r\n{}\r\n0\r\n\r\n' }
  const slow = Array.from({ length: 64 }, (_, i) => {
    const { header, body } = i % 2 === 0 ? known : chunked
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {}) // where this fails, it is cut off
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
  await until('all have given their places back', 5_000, () => inFlight.now === 0)
})
