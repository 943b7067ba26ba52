import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { TestContext } from 'node:test'

/** Listens on a free port of 127.0.0.1 until the end of the test. @returns the port */
export async function listen(t: Pick<TestContext, 'after'>, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => close(server))
  return (server.address() as AddressInfo).port
}

/** Stops listening. Connections of HTTP are closed too; those of plain TCP belong to the caller. */
export async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  if ('closeAllConnections' in server) (server as HttpServer).closeAllConnections()
  await closed
}

/** A port without a listener, at least for now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await close(server)
  return port
}
