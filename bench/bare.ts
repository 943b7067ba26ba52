import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { fastify } from 'fastify'

/** Fastify at its best, in a process of its own: a GET with a constant response, and a POST that parses and echoes. */
export interface BareProcess extends AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
}

/** @param answer the JSON text of the GET response */
export async function startBare(answer: string): Promise<BareProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['listen', answer])
  const exited = once(child, 'exit')
  const [url] = (await once(child, 'message')) as [string]
  return {
    url,
    child,
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await exited
    },
  }
}

async function listen(answer: string): Promise<void> {
  const server = fastify()
  server.get('/v1/tasks/:id', async (_, reply) => reply.type('application/json; charset=utf-8').send(answer))
  server.post('/v1/tasks', async ({ body }) => body)
  process.on('disconnect', () => process.exit())
  process.send?.(await server.listen({ host: '127.0.0.1', port: 0 }))
}

if (process.argv[2] === 'listen') await listen(process.argv[3] ?? '')
