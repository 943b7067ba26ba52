import { request } from 'node:http'
import { Problem } from '#core/problem.ts'

/** A running server, over its control socket (http/listen/control-socket.ts). @returns what asks: undefined when no server is there, and what it answers otherwise. @throws Problem as the server says it */
export function askServer(socketPath: string) {
  return (method: string, path: string, body?: object, userId?: number): Promise<unknown> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      host: 'localhost',
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      ...(userId !== undefined && { 'duebell-user': userId }),
    }
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, method, path, headers, timeout: 10_000 }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const told = JSON.parse(Buffer.concat(chunks).toString())
          if (answer.statusCode === 200) resolve(told)
          else reject(new Problem(answer.statusCode === 404 ? 'not-found' : 'invalid', told.detail))
        })
      })
      asked.on('timeout', () => asked.destroy(new Problem('unavailable', 'The server does not answer.')))
      asked.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
        else
          reject(
            error instanceof Problem ? error : new Problem('unavailable', `The server cannot be asked: ${error.code}.`),
          )
      })
      asked.end(text)
    })
  }
}
