import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { ProblemError } from '#client/client.ts'
import { renewed, selfSigned } from './self-signed.ts'

/** A response, read as far as possible. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /**
   * The JSON of the body, or undefined if it is not JSON.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  readonly body: any
}

export interface Sending {
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/**
 * Plain requests that the typed client cannot send. A body that is neither text nor bytes is sent as JSON; its type is application/json by
 * default.
 */
export function wireTo(url: string) {
  return async (method: string, path: string, { body, headers }: Sending = {}): Promise<Answer> => {
    const init: RequestInit = { method, headers: { ...(body !== undefined && jsonType), ...headers } }
    if (body !== undefined)
      init.body = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    const response = await fetch(url + path, init)
    return answer(response.status, response.headers, await response.text())
  }
}
export type Wire = ReturnType<typeof wireTo>

const jsonType = { 'content-type': 'application/json' }

/** A raw request, for content that fetch refuses to send: the lines of its head, and a body after them. */
export async function rawRequest(url: string, head: readonly string[], body = ''): Promise<Answer> {
  return parseAnswer(await exchange(url, head, body))
}

/** The same. @returns the raw response */
export function exchange(url: string, head: readonly string[], body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTo(url)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.write(`${[...head, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`)
  })
}

export interface PlainRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
}

export interface PlainResponse {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends requests one after the other over one connection; fetch opens another after each HEAD. For a stream of events it waits for the head
 * only, since the body has no end.
 */
export function keepAliveClient(
  t: Pick<TestContext, 'after'>,
  url: string,
  { timeoutMs = 0 } = {},
): (request: PlainRequest) => Promise<PlainResponse> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const { hostname, port } = new URL(url)
  return ({ method, target, headers, body }) =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = { hostname, port, method, path: target, agent, timeout: timeoutMs }
      const request = httpRequest({ ...options, headers: { ...headers, ...length } }, (response) => {
        let text = ''
        const end = () => {
          const pairs = Object.entries(response.headersDistinct).map(([name, all]) => [name, (all ?? []).join(', ')])
          resolve({ status: response.statusCode ?? 0, headers: new Headers(pairs as [string, string][]), text })
        }
        if (response.headers['content-type'] === 'text/event-stream' && method !== 'HEAD') {
          response.destroy()
          return end()
        }
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', end).on('error', reject)
      })
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
      request.on('error', reject)
      request.end(body)
    })
}

/** All data of a connection, up to its end. */
export function parseAnswer(text: string): Answer {
  const [top = '', ...rest] = text.split('\r\n\r\n')
  const [first = '', ...lines] = top.split('\r\n')
  const pairs = lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.replace(/^.*?: */, '')])
  return answer(Number(first.split(' ')[1]), new Headers(pairs), rest.join('\r\n\r\n'))
}

/** A connection to the address of an app. */
export function connectTo(url: string): Socket {
  if (url.startsWith('unix:')) return connect(url.slice('unix:'.length))
  const { protocol, hostname, port } = new URL(url)
  const address = { host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) }
  return protocol === 'https:' ? connectTls({ ...address, ca: [selfSigned.cert, renewed.cert] }) : connect(address)
}

function answer(status: number, headers: Headers, text: string): Answer {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {}
  return { status, headers, text, body }
}

const members = ['type', 'title', 'status', 'detail', 'instance', 'request_id']

/** Checks that a response is a problem according to RFC 9457 and api.md, and names `about`: a pointer, a parameter, or words. */
export function assertProblem(answer: Answer, status: number, about?: string): void {
  const { headers, body } = answer
  assert.equal(answer.status, status, answer.text)
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/)
  for (const member of members) assert.ok(member in body, `${member} in ${answer.text}`)
  assert.match(body.type, /^\/problems\/[a-z-]+$/)
  assert.ok(body.title.length > 0 && body.detail.length > 0, answer.text)
  assert.equal(body.status, status)
  assert.equal(body.request_id, headers.get('x-request-id'))
  assert.ok(!/^ +at /m.test(body.detail) && !answer.text.includes('file:'), 'no stack trace')
  if (about === undefined) return
  const named = (body.errors ?? []).flatMap((error: { pointer?: string; parameter?: string }) => [
    error.pointer,
    error.parameter,
  ])
  assert.ok(named.includes(about) || body.detail.includes(about), `${about} is named in ${answer.text}`)
}

/** The problem with which a request of the typed client was refused. */
export async function refusal(request: Promise<unknown>): Promise<ProblemError> {
  const outcome = await request.then(
    (value) => assert.fail(`was not refused: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  assert.ok(outcome instanceof ProblemError, String(outcome))
  return outcome
}
