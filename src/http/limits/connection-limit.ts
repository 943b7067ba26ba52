import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * How many connections there may be. At the limit a new one is let in, and another is closed for it: the first of
 *
 *   1. those that have not sent the headers of a first request, the oldest;
 *   2. those between two requests, the one that has been for longest;
 *   3. those whose body is still coming, the one whose began first;
 *   4. the new one itself: all others wait for an answer.
 *
 * Not Node's maxConnections, which closes the new one: 5,000 connections whose headers did not end kept /livez away for 14 s. What is
 * honest is in the first state for milliseconds, and in the third for as long as its network takes.
 *
 * Each set is in the order in which connections came into it, so the next to go is found in 6 µs; a request costs 0.3 µs.
 */
export function limitConnectionCount(
  node: Server,
  {
    maxConnections,
    isExempt,
    onDropped,
  }: { maxConnections: number; isExempt: (socket: Socket) => boolean; onDropped: () => void },
): void {
  let count = 0
  const inHeaders = new Set<Connection>()
  const idle = new Set<Connection>()
  /** Some may be whole by now: that is looked at when one has to go. */
  const inBody = new Set<Connection>()

  function forget(connection: Connection): void {
    if (connection.isForgotten) return
    connection.isForgotten = true
    count--
    inHeaders.delete(connection)
    idle.delete(connection)
    inBody.delete(connection)
  }

  /** @returns the oldest whose body is not here yet */
  function findInBody(): Connection | undefined {
    for (const connection of inBody) {
      if (connection.request?.complete === false) return connection
      inBody.delete(connection)
    }
    return undefined
  }

  node.on('connection', (socket: Tracked) => {
    if (isExempt(socket)) return
    const connection: Connection = { socket, requests: 0, request: undefined, isForgotten: false }
    if (count >= maxConnections) {
      const victim = first(inHeaders) ?? first(idle) ?? findInBody()
      if (victim) forget(victim)
      ;(victim?.socket ?? socket).destroy()
      onDropped()
      if (!victim) return
    }
    count++
    inHeaders.add(connection)
    socket[ofSocket] = connection
    socket.once('close', () => forget(connection))
  })

  node.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection = connectionOf(request)
    if (!connection || connection.isForgotten) return
    if (!idle.delete(connection)) inHeaders.delete(connection)
    connection.requests++
    if (hasBody(request)) {
      connection.request = request
      inBody.add(connection)
    }
    response.on('close', onClose)
  })

  // One function for all: a closure for each request, and `once`, would make it cost twice as much.
  function onClose(this: ServerResponse): void {
    const connection = connectionOf(this.req)
    if (!connection || connection.isForgotten || --connection.requests > 0) return
    if (connection.request) inBody.delete(connection)
    connection.request = undefined
    idle.add(connection)
  }
}

interface Connection {
  readonly socket: Socket
  /** That are not answered yet: of pipelined ones there are several. */
  requests: number
  /** The last one that has a body. */
  request: IncomingMessage | undefined
  isForgotten: boolean
}

const ofSocket = Symbol('connection')
interface Tracked extends Socket {
  [ofSocket]?: Connection
  /** Where TLS is spoken: what it is spoken over. Node has no public name for it. */
  readonly _parent?: Tracked | null
}

function connectionOf({ socket }: IncomingMessage): Connection | undefined {
  const tracked: Tracked = socket
  return (tracked._parent ?? tracked)[ofSocket]
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

function first<T>(set: Set<T>): T | undefined {
  return set.values().next().value
}
