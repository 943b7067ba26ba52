import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '#core/delivery.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'

/** A broker connection whose underlying connections a test opens and breaks. */
function openTestConnection() {
  const connections: (ConnectionHandle & { connected(): void; fail(error: Error): void })[] = []
  const broker = openBrokerConnection(1_024, (handle) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const number = connections.length
    connections.push({ ...handle, connected: () => resolve(number), fail: reject })
    return promise
  })
  const send = (work: (connection: number) => Promise<Outcome>, signal = new AbortController().signal) =>
    broker.send(signal, 100, work).catch((error: Error) => error.message)
  const isClosed = () => connections.map(({ closing }) => closing.aborted)
  return { broker, connections, send, isClosed }
}

const sent = async () => 'sent' as const

test('concurrent attempts share one connection, which is closed after 30 s without use', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { connections, send, isClosed } = openTestConnection()
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

test('after a failure the next attempt gets another connection; attempts in flight keep the old one', async () => {
  const { connections, send, isClosed } = openTestConnection()
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

test('a connection that ends fails all of its attempts', async () => {
  const { connections, send, isClosed } = openTestConnection()
  const both = Promise.all([send(() => new Promise(() => {})), send(() => new Promise(() => {}))])
  connections[0]?.connected()
  connections[0]?.lost(new Error('hush'))
  assert.deepEqual(await both, ['cannot be reached', 'cannot be reached'])
  assert.deepEqual(isClosed(), [true])
})

test('a refusal is permanent, whether the connection or the attempt reports it', async () => {
  const { connections, send } = openTestConnection()
  const both = [send(sent), send(sent)]
  connections[0]?.fail(new Refused('no'))
  assert.deepEqual(await Promise.all(both), [
    { retry: false, reason: 'no' },
    { retry: false, reason: 'no' },
  ])
})

test('an aborted attempt sends nothing later', async () => {
  const { connections, send, isClosed } = openTestConnection()
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

test('closing it ends all attempts at once', async () => {
  const { broker, connections, send, isClosed } = openTestConnection()
  const inFlight = send(() => new Promise(() => {}))
  connections[0]?.connected()
  await broker[Symbol.asyncDispose]()
  assert.deepEqual(isClosed(), [true])
  assert.equal(await inFlight, 'is being closed')
  assert.equal(await send(sent), 'is being closed')
})

test('a broker that sends too much fails all attempts in flight, with the reason; the next one gets another connection', async () => {
  const { connections, send, isClosed } = openTestConnection()
  const both = Promise.all([send(() => new Promise(() => {})), send(() => new Promise(() => {}))])
  connections[0]?.connected()
  // 1,024 for the greeting, and 100 for each of the two.
  assert.ok(connections[0]?.budget.take(1_224))
  assert.equal(connections[0]?.budget.take(1), false)
  const reason = 'the other side kept sending data that is no response, so the connection was closed'
  assert.deepEqual(await both, [reason, reason])
  assert.deepEqual(isClosed(), [true])
  const again = send(sent)
  connections[1]?.connected()
  assert.equal(await again, 'sent')
})

test('the bytes that a broker may send for an attempt lapse with it', async () => {
  const { connections, send } = openTestConnection()
  const first = send(sent)
  connections[0]?.connected()
  assert.equal(await first, 'sent')
  assert.ok(connections[0]?.budget.take(1_024))
  assert.equal(connections[0]?.budget.take(1), false)
})
