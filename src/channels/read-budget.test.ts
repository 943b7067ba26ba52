import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { LookupFunction, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startTcpServer } from '#kit/tcp-server.ts'
import { LimitedSocket, ReadBudget } from './read-budget.ts'

test('a peer may greet, and then send as much as its responses need', () => {
  const budget = new ReadBudget(100)
  let spent = 0
  budget.onSpent = () => spent++
  assert.ok(budget.take(100))
  budget.reserve(50)
  budget.reserve(50)
  assert.ok(budget.take(100))
  assert.equal(budget.isSpent, false)
  assert.equal(budget.take(1), false)
  assert.equal(budget.take(0), false, 'it stays so')
  assert.equal(spent, 1)
})

test('a connection may stay open for ever if its peer only responds', () => {
  const budget = new ReadBudget(100)
  for (let i = 0; i < 10_000; i++) {
    budget.reserve(50)
    assert.ok(budget.take(50))
    budget.release(50)
  }
})

test('unused bytes of responses are not saved up', () => {
  const budget = new ReadBudget(100)
  for (let i = 0; i < 10_000; i++) {
    budget.reserve(50)
    budget.release(50)
  }
  assert.ok(budget.take(100))
  assert.equal(budget.take(1), false)
})

test('unused bytes of a handshake lapse', () => {
  const budget = new ReadBudget(100)
  budget.reserve(1_000)
  assert.ok(budget.take(500))
  budget.release(1_000)
  assert.equal(budget.take(101), false)
})

test('an exchange that begins during a handshake does not shorten it', () => {
  const budget = new ReadBudget(100)
  budget.reserve(1_000)
  budget.reserve(50)
  assert.ok(budget.take(1_150))
  assert.equal(budget.take(1), false)
})

const nowhere: LookupFunction = () => assert.fail('an address needs no lookup')

async function startServer(t: TestContext, behave: (socket: Socket) => void) {
  const { port } = await startTcpServer(t, behave)
  return { host: '127.0.0.1', port, lookup: nowhere }
}

test('data from before the end is read, however late', async (t) => {
  const budget = new ReadBudget(1e6)
  const address = await startServer(t, (socket) => socket.end(Buffer.alloc(200_000, 'x')))
  const socket = new LimitedSocket(address, budget)
  await once(socket, 'readable')
  // By then all data has arrived, and the connection is closed.
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await buffer(socket)).length, 200_000)
  if (!socket.closed) await once(socket, 'close')
})

test('a peer that sends more than its budget is disconnected', async (t) => {
  const gone = Promise.withResolvers<void>()
  const address = await startServer(t, (socket) => {
    socket.resume().on('close', () => gone.resolve())
    socket.write(Buffer.alloc(200_000, 'x'))
  })
  const socket = new LimitedSocket(address, new ReadBudget(1_000)).resume()
  const [error] = await once(socket, 'error')
  assert.equal(error.code, 'EFLOOD')
  await gone.promise
})
