import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '#core/delivery.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'

/** A link over connections that a test makes and breaks. */
function openTestLink() {
  const connections: (ConnectionHandle & { connected(): void; fail(error: Error): void })[] = []
  const link = openBrokerConnection(1_024, (handle) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const number = connections.length
    connections.push({ ...handle, connected: () => resolve(number), fail: reject })
    return promise
  })
  const send = (work: (connection: number) => Promise<Outcome>, signal = new AbortController().signal) =>
    link.send(signal, 100, work).catch((error: Error) => error.message)
  const isClosed = () => connections.map(({ closing }) => closing.aborted)
  return { link, connections, send, isClosed }
}

const sent = async () => 'sent' as const

test('what is sent at once goes over one connection; it is closed when nobody has used it for 30 s', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { connections, send, isClosed } = openTestLink()
  const both = Promise.all([send(sent), send(sent)])
  connections[0]?.connected()
  assert.deepEqual(await both, ['sent', 'sent'])
  t.mock.timers.tick(29_999)
  assert.equal(await send(sent), 'sent')
  t.mock.timers.tick(29_999)
  assert.deepEqual(isClosed(), [false])
  t.mock.timers.tick(1)
  assert.deepEqual(isClosed(), [true])
  const again = send(sent)
  connections[1]?.connected()
  assert.equal(await again, 'sent')
})

test('after a failure the next has another; who is still under way keeps the old one', async () => {
  const { connections, send, isClosed } = openTestLink()
  const slow = Promise.withResolvers<Outcome>()
  const first = send(() => slow.promise)
  const second = send(async () => {
    throw Object.assign(new Error('amqp://me:hush@host'), { code: 'EPIPE' })
  })
  connections[0]?.connected()
  assert.equal(await second, 'cannot be reached: EPIPE')
  assert.deepEqual(isClosed(), [false])
  const third = send(sent)
  connections[1]?.connected()
  assert.equal(await third, 'sent')
  slow.resolve('sent')
  assert.equal(await first, 'sent')
  assert.deepEqual(isClosed(), [true, false])
})

test('a connection that ends fails all that go over it', async () => {
  const { connections, send, isClosed } = openTestLink()
  const both = Promise.all([send(() => new Promise(() => {})), send(() => new Promise(() => {}))])
  connections[0]?.connected()
  connections[0]?.lost(new Error('hush'))
  assert.deepEqual(await both, ['cannot be reached', 'cannot be reached'])
  assert.deepEqual(isClosed(), [true])
})

test('a refusal is for good, whoever tells of it', async () => {
  const { connections, send } = openTestLink()
  const both = [send(sent), send(sent)]
  connections[0]?.fail(new Refused('no'))
  assert.deepEqual(await Promise.all(both), [
    { retry: false, reason: 'no' },
    { retry: false, reason: 'no' },
  ])
})

test('what was given up is not said later', async () => {
  const { connections, send, isClosed } = openTestLink()
  const giveUp = new AbortController()
  let isSaid = false
  const late = send(async () => {
    isSaid = true
    return 'sent'
  }, giveUp.signal)
  giveUp.abort()
  assert.equal(await late, 'timed out')
  assert.deepEqual(isClosed(), [true])
  connections[0]?.connected()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isSaid, false)
  assert.equal(await send(sent, giveUp.signal), 'timed out')
  assert.equal(connections.length, 1, 'for what is given up already nobody is called')
})

test('closing it ends all at once', async () => {
  const { link, connections, send, isClosed } = openTestLink()
  const inFlight = send(() => new Promise(() => {}))
  connections[0]?.connected()
  await link[Symbol.asyncDispose]()
  assert.deepEqual(isClosed(), [true])
  assert.equal(await inFlight, 'is being closed')
  assert.equal(await send(sent), 'is being closed')
})

test('a broker that sends too much ends all attempts under way, with the reason; the next has another connection', async () => {
  const { connections, send, isClosed } = openTestLink()
  const both = Promise.all([send(() => new Promise(() => {})), send(() => new Promise(() => {}))])
  connections[0]?.connected()
  // 1,024 as it greets, and 100 for each of the two.
  assert.ok(connections[0]?.budget.take(1_224))
  assert.equal(connections[0]?.budget.take(1), false)
  const reason = 'the other side kept sending data that is no response, so the connection was closed'
  assert.deepEqual(await both, [reason, reason])
  assert.deepEqual(isClosed(), [true])
  const again = send(sent)
  connections[1]?.connected()
  assert.equal(await again, 'sent')
})

test('what a broker may send for an attempt it may not send after it', async () => {
  const { connections, send } = openTestLink()
  const first = send(sent)
  connections[0]?.connected()
  assert.equal(await first, 'sent')
  assert.ok(connections[0]?.budget.take(1_024))
  assert.equal(connections[0]?.budget.take(1), false)
})
