import { request } from 'node:http'
import { Problem } from '#core/problem.ts'

/**
 * Requests to a running server over its control socket (http/listen/control-socket.ts).
 * @returns a function that resolves with the response's body, or with undefined when no server is running, and throws the server's Problem
 */
export function createControlClient(socketPath: string) {
  return (method: string, path: string, body?: object, userId?: number): Promise<unknown> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      host: 'localhost',
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      ...(userId !== undefined && { 'duebell-user': userId }),
    }
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, method, path, headers, timeout: 10_000 }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const reply = JSON.parse(Buffer.concat(chunks).toString())
          if (response.statusCode === 200) resolve(reply)
          else reject(new Problem(response.statusCode === 404 ? 'not-found' : 'invalid', reply.detail))
        })
      })
      outgoing.on('timeout', () => outgoing.destroy(new Problem('unavailable', 'The server does not respond.')))
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
        else
          reject(
            error instanceof Problem
              ? error
              : new Problem('unavailable', `The server cannot be reached: ${error.code}.`),
          )
      })
      outgoing.end(text)
    })
  }
}
