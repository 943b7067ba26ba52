import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { fastify } from 'fastify'
import { createTrust } from '#http/listen/trusted-proxies.ts'
import { connectionLimits, connectionOptions, limitConnections, nearPeers } from './connections.ts'

async function start(t: TestContext, isNear: boolean, times: { idleMs: number; nearIdleMs: number }) {
  const limits = { ...connectionLimits, ...times }
  const server = fastify(connectionOptions(limits) as object)
  t.after(() => server.close())
  limitConnections(server, limits, { isNear: () => isNear, isExempt: () => false, onDropped() {} })
  server.get('/', async () => 'ok')
  await server.listen({ port: 0, host: '127.0.0.1' })
  return { server, port: (server.server.address() as AddressInfo).port }
}

/** Sends a request on a new connection. @returns the head of the response, and the connection, which is idle now */
async function ask(t: TestContext, port: number) {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [answer] = await once(socket, 'data')
  return { socket, head: String(answer) }
}

test('an idle connection of a proxy outlives the 120 s for which Caddy keeps it; that of another peer has 10 s', () => {
  assert.ok(connectionLimits.nearIdleMs > 120_000)
  assert.equal(connectionLimits.idleMs, 10_000)
})

test('Keep-Alive has the long timeout for a near peer, and the short one for any other', async (t) => {
  const times = { idleMs: 10_000, nearIdleMs: 130_000 }
  for (const [isNear, expected] of [
    [true, /^keep-alive: timeout=130\r$/im],
    [false, /^keep-alive: timeout=10\r$/im],
  ] as const) {
    const { port } = await start(t, isNear, times)
    const { head } = await ask(t, port)
    assert.match(head, expected)
    assert.equal(head.match(/^keep-alive:/gim)?.length, 1)
  }
})

test('an idle connection of another peer is closed after its own timeout, not that of near peers', async (t) => {
  const { server, port } = await start(t, false, { idleMs: 1, nearIdleMs: 600_000 })
  server.server.keepAliveTimeoutBuffer = 1
  const { socket } = await ask(t, port)
  socket.resume()
  await once(socket, 'close')
})

test('this machine and trusted proxies are near peers', () => {
  const isNear = nearPeers(createTrust(['10.0.0.0/8']))
  for (const address of [undefined, '127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '10.1.2.3', '::ffff:10.1.2.3'])
    assert.equal(isNear(address), true, String(address))
  for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1']) assert.equal(isNear(address), false, address)
  assert.equal(nearPeers(undefined)('10.1.2.3'), false)
})
