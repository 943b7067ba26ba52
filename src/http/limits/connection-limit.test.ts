import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '#support/self-signed.ts'
import { limitConnectionCount } from './connection-limit.ts'

/** Connections by hand, at a server that takes three. What is not waited for on purpose is closed by the server. */
async function start(t: TestContext, { isTls = false } = {}) {
  const server = isTls ? createTlsServer(selfSigned) : createServer()
  let dropped = 0
  const exempt = new Set<number>()
  limitConnectionCount(server, {
    maxConnections: 3,
    isExempt: ({ remotePort = 0 }) => exempt.has(remotePort),
    onDropped: () => dropped++,
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
    socket.on('error', () => {}) // it is cut off
    t.after(() => socket.destroy())
    await accepted
    return socket
  }
  const secure = (socket: Socket) =>
    isTls ? connectTls({ socket, ca: selfSigned.cert, servername: 'localhost' }) : socket

  /** Opens one, and waits until the server has read the headers of this request. */
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
  return { server, open, send, ask, isClosed, waiting, exempt, dropped: () => dropped }
}

for (const isTls of [false, true])
  test(`at the limit, connections go in this order${isTls ? ', with TLS' : ''}: in their headers, idle, in a body; what waits for its answer stays`, async (t) => {
    const { open, send, ask, isClosed, waiting, dropped } = await start(t, { isTls })
    const working = await send('GET /slow HTTP/1.1')
    const [first, second] = [await open(), await open()]
    const upload = await send('POST /slow HTTP/1.1\r\nContent-Length: 9') // in place of `first`
    await isClosed(first)
    const idle = await ask() // in place of `second`
    await isClosed(second)
    assert.equal(dropped(), 2)

    const third = await open() // in place of `idle`
    await isClosed(idle)
    const fourth = await send('GET /slow HTTP/1.1') // in place of `third`
    await isClosed(third)
    const fifth = await send('GET /slow HTTP/1.1') // in place of `upload`, whose body has not come
    await isClosed(upload)
    assert.equal(dropped(), 5)

    await isClosed(await open()) // all others wait for an answer
    assert.equal(dropped(), 6)
    for (const [socket, at] of [
      [working, 0],
      [fourth, 2],
      [fifth, 3],
    ] as const) {
      waiting[at]?.end('done')
      assert.match(String((await once(socket, 'data'))[0]), /done/)
    }
  })

test('of idle connections the one that has been idle for longest goes first; of new ones the oldest', async (t) => {
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

test('an upload that has come whole is not closed while it is answered; nor are the answers to several requests', async (t) => {
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

test('a connection that ends by itself makes room; what is exempt neither counts nor is closed', async (t) => {
  const { server, open, ask, isClosed, exempt, dropped } = await start(t)
  const gone = await ask()
  const ended = new Promise((resolve) => server.once('connection', (socket) => socket.once('close', resolve)))
  ;(await open()).destroy()
  await ended
  await ask()
  await ask()
  assert.equal(dropped(), 0)
  server.prependOnceListener('connection', ({ remotePort = 0 }) => exempt.add(remotePort))
  const free = await open()
  assert.equal(dropped(), 0)
  await open()
  await isClosed(gone)
  assert.deepEqual([dropped(), free.closed], [1, false])
})
