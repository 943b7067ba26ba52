import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '#kit/self-signed.ts'
import { limitConnectionCount } from './connection-limit.ts'

/** A server that takes three connections, which the test opens by hand. */
async function start(t: TestContext, { isTls = false } = {}) {
  const server = isTls ? createTlsServer(selfSigned) : createServer()
  let count = 0
  const exempt = new Set<number>()
  limitConnectionCount(server, {
    maxConnections: 3,
    isExempt: ({ remotePort = 0 }) => exempt.has(remotePort),
    onDropped: () => count++,
  })
  const waiting: ServerResponse[] = []
  server.on('request', (request, response) => {
    if (request.url === '/slow') waiting.push(response)
    else response.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })

  /** @returns a connection that the server has accepted */
  async function open(): Promise<Socket> {
    const accepted = once(server, 'connection')
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {}) // the server closes it
    t.after(() => socket.destroy())
    await accepted
    return socket
  }
  const secure = (socket: Socket) =>
    isTls ? connectTls({ socket, ca: selfSigned.cert, servername: 'localhost' }) : socket

  /** Opens a connection, and waits until the server has read the headers of this request. */
  async function send(head: string): Promise<Socket> {
    const socket = secure(await open())
    socket.on('error', () => {})
    const asked = once(server, 'request')
    socket.write(`${head}\r\nHost: localhost\r\n\r\n`)
    await asked
    return socket
  }
  async function ask(): Promise<Socket> {
    const socket = await send('GET / HTTP/1.1')
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /)
    return socket
  }
  const isClosed = (socket: Socket) => (socket.closed ? undefined : once(socket.resume(), 'close'))
  return { server, open, send, ask, isClosed, waiting, exempt, droppedCount: () => count }
}

for (const isTls of [false, true])
  test(`at the limit, connections are closed in this order${isTls ? ', with TLS' : ''}: in their headers, idle, in a body; those that wait for a response stay`, async (t) => {
    const { open, send, ask, isClosed, waiting, droppedCount } = await start(t, { isTls })
    const working = await send('GET /slow HTTP/1.1')
    const [first, second] = [await open(), await open()]
    const upload = await send('POST /slow HTTP/1.1\r\nContent-Length: 9') // in place of `first`
    await isClosed(first)
    const idle = await ask() // in place of `second`
    await isClosed(second)
    assert.equal(droppedCount(), 2)

    const third = await open() // in place of `idle`
    await isClosed(idle)
    const fourth = await send('GET /slow HTTP/1.1') // in place of `third`
    await isClosed(third)
    const fifth = await send('GET /slow HTTP/1.1') // in place of `upload`, whose body has not come
    await isClosed(upload)
    assert.equal(droppedCount(), 5)

    await isClosed(await open()) // all others wait for a response
    assert.equal(droppedCount(), 6)
    for (const [socket, at] of [
      [working, 0],
      [fourth, 2],
      [fifth, 3],
    ] as const) {
      waiting[at]?.end('done')
      assert.match(String((await once(socket, 'data'))[0]), /done/)
    }
  })

test('the connection that has been idle for longest is closed first; among new ones the oldest', async (t) => {
  const { server, open, ask, isClosed } = await start(t)
  const [one, two, three] = [await ask(), await ask(), await ask()]
  const asked = once(server, 'request')
  one.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await asked
  await once(one, 'data')
  const [four, five] = [await open(), await open()]
  await isClosed(two) // for `four`
  await isClosed(four) // for `five`, which is in its headers as well
  const six = await open()
  await isClosed(five)
  assert.deepEqual(
    [one, three, six].map(({ closed }) => closed),
    [false, false, false],
  )
})

test('a complete upload is not closed before its response; nor are pipelined requests', async (t) => {
  const { server, open, send, isClosed, waiting } = await start(t)
  const upload = await send('POST /slow HTTP/1.1\r\nContent-Length: 2')
  const body = once(waiting[0]?.req.resume() ?? assert.fail(), 'end')
  upload.write('{}')
  await body
  const pipelined = await send('GET /slow HTTP/1.1')
  const asked = once(server, 'request')
  pipelined.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await asked
  waiting[1]?.end('one of two')
  await once(pipelined, 'data')
  await send('GET /slow HTTP/1.1')
  await isClosed(await open())
  assert.deepEqual([upload.closed, pipelined.closed], [false, false])
})

test('a connection that ends by itself frees a slot; an exempt one neither counts nor is closed', async (t) => {
  const { server, open, ask, isClosed, exempt, droppedCount } = await start(t)
  const gone = await ask()
  const ended = new Promise((resolve) => server.once('connection', (socket) => socket.once('close', resolve)))
  ;(await open()).destroy()
  await ended
  await ask()
  await ask()
  assert.equal(droppedCount(), 0)
  server.prependOnceListener('connection', ({ remotePort = 0 }) => exempt.add(remotePort))
  const free = await open()
  assert.equal(droppedCount(), 0)
  await open()
  await isClosed(gone)
  assert.deepEqual([droppedCount(), free.closed], [1, false])
})
