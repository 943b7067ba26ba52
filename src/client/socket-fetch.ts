import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'

/**
 * A `fetch` over a Unix socket, for `createClient`: the one of Node.js cannot do that without a package. Only for Node.js. It sends text
 * and receives text, JSON and streams, which is what the client needs; it follows no redirects and decodes no encodings, since
 * Duebell sends neither.
 *
 *   const client = createClient('http://localhost', { fetch: socketFetch('/run/duebell.sock') })
 *
 * It rejects with the error of the connection: the code is ENOENT or ECONNREFUSED when no server listens.
 */
export function socketFetch(socketPath: string): typeof fetch {
  return async (input, init = {}) => {
    const { pathname, search, host } = new URL(input instanceof Request ? input.url : input)
    const { method = 'GET', body, signal } = init
    signal?.throwIfAborted()
    const headers = { host, ...Object.fromEntries(new Headers(init.headers)) }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ socketPath, method, path: pathname + search, headers }, resolve)
      const abort = () => outgoing.destroy(signal?.reason)
      signal?.addEventListener('abort', abort)
      outgoing.on('close', () => signal?.removeEventListener('abort', abort))
      outgoing.on('error', reject)
      outgoing.end(body as string | null | undefined)
    })
    const { statusCode = 0, statusMessage = '', rawHeaders } = response
    const pairs = rawHeaders.flatMap((name, i): [string, string][] => (i % 2 ? [] : [[name, rawHeaders[i + 1] ?? '']]))
    const isEmpty = statusCode === 204 || statusCode === 304 || method === 'HEAD'
    if (isEmpty) response.resume()
    const stream = isEmpty ? null : (Readable.toWeb(response) as unknown as ReadableStream<Uint8Array>)
    return new Response(stream, { status: statusCode, statusText: statusMessage, headers: pairs })
  }
}
