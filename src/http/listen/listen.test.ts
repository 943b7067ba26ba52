import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '#kit/self-signed.ts'
import { closeListener, openListener } from './listen.ts'

/** «localhost» may be two addresses of a machine; the tests use two of IPv4. */
const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

for (const [name, make, connectTo] of [
  ['http', (): Server => createServer(), connect],
  [
    'https',
    (): Server => createTlsServer(selfSigned),
    (address: object) => connectTls({ ...address, ca: selfSigned.cert, servername: 'localhost' }),
  ],
] as const)
  test(`a second address serves the same server: ${name}`, async (t) => {
    const server = make()
    const waiting: (() => void)[] = []
    server.on('request', (request, response) => {
      if (request.url === '/slow') waiting.push(() => response.end('slow'))
      else response.end('quick')
    })
    server.on('clientError', (_, socket) => socket.end('HTTP/1.1 400 Ours\r\n\r\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const listener = await openListener(server, '127.0.0.2')
    t.after(() => {
      listener.close()
      server.close()
      server.closeAllConnections()
    })
    assert.equal((listener.address() as AddressInfo).port, port)

    const ask = (text: string) => {
      const socket = connectTo({ port, host: '127.0.0.2' })
      t.after(() => socket.destroy())
      socket.write(text)
      return socket
    }
    const idle = ask(get)
    assert.match(String(await once(idle, 'data')), /^HTTP\/1\.1 200 [\s\S]*quick$/)
    assert.match(String(await once(ask('nonsense\r\n\r\n'), 'data')), /^HTTP\/1\.1 400 Ours/)

    const asked = once(server, 'request')
    const busy = ask(get.replace('/ ', '/slow '))
    await asked
    const idleClosed = once(idle, 'close')
    const closed = closeListener(server, listener)
    await idleClosed
    waiting[0]?.()
    assert.match(String(await once(busy, 'data')), /slow$/)
    busy.end()
    await closed
    server.close()
    await once(server, 'close')
  })
