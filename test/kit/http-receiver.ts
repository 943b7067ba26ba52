import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { TestContext } from 'node:test'
import { close, listen } from './listen.ts'
import { selfSigned } from './self-signed.ts'

export interface Request {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type Behaviour = (request: Request, response: ServerResponse) => void

/** A server that receives requests, and behaves as the test says. Its address is http://127.0.0.1:… without a slash at the end. */
export interface HttpReceiver {
  readonly url: string
  /** All requests so far, in order. */
  readonly requests: Request[]
  /** Ends the response, or never responds. */
  behave: Behaviour
  /** Frees its port before the end of the test. */
  stop(): Promise<void>
}

export async function startHttpReceiver(
  t: TestContext,
  behave: Behaviour,
  { isSecure = false } = {},
): Promise<HttpReceiver> {
  const server = isSecure ? createSecureServer(selfSigned) : createServer()
  const receiver = { url: '', requests: [] as Request[], behave, stop: () => close(server) }
  server.on('request', async (incoming, response) => {
    response.on('error', () => {}) // the sender may be gone
    let body = ''
    try {
      for await (const chunk of incoming.setEncoding('utf8')) body += chunk
    } catch {
      return // the sender was killed during its request
    }
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, headers, body }
    receiver.requests.push(request)
    receiver.behave(request, response)
  })
  receiver.url = `${isSecure ? 'https' : 'http'}://127.0.0.1:${await listen(t, server)}`
  return receiver
}

export const answers =
  (status: number, body = '', headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    response.writeHead(status, headers).end(body)

export const hangsUp: Behaviour = (_, response) => response.destroy()

/** Sends its status and half of the body that it announced. */
export const closesMidWay =
  (status: number): Behaviour =>
  (_, response) => {
    response.writeHead(status, { 'content-length': '1000' })
    response.write('{"error":"no', () => response.destroy())
  }

/** Sends 100 MB, or as much as the other side takes. @param onSent called with the bytes sent so far */
export const answersEndlessly =
  (status: number, onSent: (bytes: number) => void = () => {}): Behaviour =>
  (_, response) => {
    const piece = Buffer.alloc(65_536, '{')
    let pieces = 0
    const more = () => {
      while (!response.destroyed && pieces < 1_600) {
        onSent(++pieces * piece.length)
        if (!response.write(piece)) return response.once('drain', more)
      }
      response.destroy()
    }
    response.writeHead(status)
    more()
  }
