import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { exchange } from '#kit/http-requests.ts'
import type { ServerProcess } from '#kit/server-process.ts'
import type { Canaries } from './canaries.ts'

/** Records all output of a server, and reports which secrets were in it. */
export interface OutputRecorder {
  /** @param shown names of secrets that are allowed there */
  record(place: string, text: string, shown?: readonly string[]): void
  /**
   * Records a process to its end: its output, and its command line, which every user of the machine can read.
   * @param shown allowed on its standard output
   */
  follow(process: Pick<ServerProcess, 'child' | 'ended' | 'output'>, shown?: readonly string[]): void
  /** Sends a request, and records the whole response: status, headers, body. */
  ask(method: string, url: string, asking?: Asking): Promise<Answered>
  /** The same for a malformed request. @returns the raw response */
  sendRaw(url: string, head: readonly string[], body?: string): Promise<string>
  /** The places with a secret that should not be there: `stderr: the password, as base64`. */
  leaks(): string[]
  /** Every status of a response, with its number. */
  readonly statuses: ReadonlyMap<number, number>
}

export interface Asking {
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent unchanged, anything else as JSON. */
  readonly body?: unknown
  readonly shown?: readonly string[]
  /** For a stream: records until this resolves, or the first chunk, and disconnects. */
  readonly until?: AbortSignal | 'begun'
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /**
   * The JSON of the body, or undefined.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  readonly body: any
}

export function createOutputRecorder(canaries: Canaries): OutputRecorder {
  const recorded: { place: string; text: string; shown: readonly string[] }[] = []
  const statuses = new Map<number, number>()

  const outputs: OutputRecorder = {
    statuses,
    record(place, text, shown = []) {
      recorded.push({ place, text, shown })
    },
    follow({ child, ended, output }, shown) {
      outputs.record('the command line', readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'))
      ended.then(() => {
        outputs.record('standard output', output.stdout, shown)
        outputs.record('standard error', output.stderr)
      })
    },
    async ask(method, url, asking = {}) {
      const answer = await send(method, url, asking)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      // Long parts of a path are secrets or names, and do not identify the response.
      const path = URL.parse(url)?.pathname.replaceAll(/[^/]{20,}/g, '…')
      outputs.record(`the answer to ${method} ${path}, ${answer.status}`, answer.all, asking.shown)
      return answer
    },
    async sendRaw(url, head, body = '') {
      const all = await exchange(url, head, body)
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(all)?.[1] ?? 0)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      outputs.record(`the answer to what no client sends, ${status}`, all)
      return all
    },
    leaks() {
      const seen = new Set<string>()
      const leaks = new Set<string>()
      for (const { place, text, shown } of recorded) {
        const key = `${shown} ${text}`
        if (seen.has(key)) continue
        seen.add(key)
        for (const { name, form } of canaries.findIn(text))
          if (!shown.includes(name)) leaks.add(`${place}: ${name}, ${form}`)
      }
      return [...leaks]
    },
  }
  return outputs
}

function send(
  method: string,
  url: string,
  { token, headers = {}, body, until }: Asking,
): Promise<Answered & { readonly all: string }> {
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const head = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(bytes && { 'content-type': 'application/json', 'content-length': String(bytes.length) }),
    ...headers,
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: head, agent: false }, (response) => {
      const chunks: Buffer[] = []
      const end = () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const { statusCode: status = 0, statusMessage, rawHeaders, headers } = response
        resolve({
          status,
          headers,
          text,
          body: toJson(text),
          all: [status, statusMessage, ...rawHeaders, text].join('\n'),
        })
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        if (until === 'begun') request.destroy()
      })
      response.on('error', () => {}) // `close` follows
      response.on('close', end)
    })
    request.on('error', reject)
    if (until instanceof AbortSignal) until.addEventListener('abort', () => request.destroy())
    request.end(bytes)
  })
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
