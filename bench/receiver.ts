import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { openWallClock } from './wall-clock.ts'

/** A receiver of webhooks in a process of its own. It counts requests by `webhook-id`, and verifies nothing. */
export interface ReceiverProcess extends AsyncDisposable {
  readonly url: string
  /** Resolves when this many different ids have arrived, with the counts at that time; rejects after `timeoutMs`. */
  received(distinct: number, timeoutMs: number): Promise<Received>
}

export interface Received {
  readonly distinct: number
  /** Requests with an id that had arrived before. */
  readonly repeats: number
  /** ms since 1970, with fractions. */
  readonly firstAt: number
  readonly lastNewAt: number
}

export async function startReceiver(): Promise<ReceiverProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['listen'])
  const exited = once(child, 'exit')
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    url: `http://127.0.0.1:${port}/`,
    received: (distinct, timeoutMs) => ask(child, distinct, timeoutMs),
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await exited
    },
  }
}

function ask(child: ChildProcess, distinct: number, timeoutMs: number): Promise<Received> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`fewer than ${distinct} notifications in ${timeoutMs} ms`)),
      timeoutMs,
    )
    child.once('message', (received: Received) => {
      clearTimeout(timer)
      resolve(received)
    })
    child.send(distinct)
  })
}

async function listen(): Promise<void> {
  const now = openWallClock()
  const seen = new Set<string>()
  let repeats = 0
  let firstAt = 0
  let lastNewAt = 0
  let wanted = Number.POSITIVE_INFINITY
  const reportWhenReached = () => {
    if (seen.size < wanted) return
    wanted = Number.POSITIVE_INFINITY
    process.send?.({ distinct: seen.size, repeats, firstAt, lastNewAt } satisfies Received)
  }
  const server = createServer((request, response) => {
    const id = String(request.headers['webhook-id'])
    request.resume().on('end', () => {
      if (seen.has(id)) repeats++
      else {
        seen.add(id)
        lastNewAt = now()
        firstAt ||= lastNewAt
      }
      response.writeHead(204).end()
      reportWhenReached()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.on('message', (distinct: number) => {
    wanted = distinct
    reportWhenReached()
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ port: (server.address() as AddressInfo).port })
}

if (process.argv[2] === 'listen') await listen()
