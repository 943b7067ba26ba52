import type { TestContext } from 'node:test'
import { type Request, startHttpReceiver } from '#kit/http-receiver.ts'
import { freePort } from '#kit/listen.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { subjects } from '#test/channels/http-subjects.ts'
import { peerSubjects } from '#test/channels/peer-subjects.ts'
import type { Place } from './secret-options.ts'

/** Faults between a channel and its receiver. */
export const faults = ['repeats', 'hangs', 'resets', 'refuses', 'untrusted'] as const
export type Fault = (typeof faults)[number]

export interface BadReceivers {
  /** The receiver with this fault for this kind. */
  place(kind: string, fault: Fault): Place
  /** The number of attempts after which a receiver has repeated its input in each of its ways. */
  readonly ways: number
  /** The requests that the repeating HTTP receivers got. */
  readonly requests: readonly Request[]
}

/**
 * Receivers of every kind with every fault: one repeats its input in an error, if its protocol has error texts; one sends nothing; one
 * hangs up; one does not listen; the last has an untrusted certificate.
 */
export async function startBadReceivers(t: TestContext): Promise<BadReceivers> {
  const requests: Request[] = []
  const repeating = new Map<string, number>()
  for (const { kind, refusal } of subjects) {
    let turn = 0
    const receiver = await startHttpReceiver(t, (request, response) => {
      requests.push(request)
      const [status, repeat] = [statuses[turn % statuses.length] as number, repeats[turn % repeats.length] as Repeat]
      turn++
      response.writeHead(status, `No ${encodeURIComponent(request.path)}`).end((refusal ?? String)(repeat(request)))
    })
    repeating.set(kind, Number(new URL(receiver.url).port))
  }
  for (const { kind, greeting } of peerSubjects) {
    const answer: Answer = answersOf[kind.kind] ?? ((bytes) => bytes)
    const { port } = await startTcpServer(t, (socket) => {
      socket.write(greeting)
      socket.on('data', (bytes: Buffer) => void socket.write(answer(bytes)))
    })
    repeating.set(kind.kind, port)
  }
  const hanging = await startTcpServer(t)
  const resetting = await startTcpServer(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const untrusted = await startTcpServer(t, () => {}, { isEncrypted: true })
  const ports: Record<Exclude<Fault, 'repeats'>, number> = {
    hangs: hanging.port,
    resets: resetting.port,
    refuses: await freePort(),
    untrusted: untrusted.port,
  }
  return {
    ways: repeats.length,
    requests,
    place(kind, fault) {
      const port = fault === 'repeats' ? repeating.get(kind) : ports[fault]
      if (port === undefined) throw new Error(`no receiver repeats the input of a channel of the kind ${kind}`)
      return { port, isEncrypted: fault === 'untrusted' }
    },
  }
}

type Repeat = (request: Request) => string
const statuses = [401, 400, 500, 404, 302, 410, 429]
/** Channels read the first characters only. */
const repeats: readonly Repeat[] = [
  ({ headers }) => `not with ${Object.values(headers).toReversed().join(' ')}`,
  ({ path }) => `there is no ${path}`,
  ({ body }) => `not ${body.slice(0, 150)}`,
  ({ path }) => `there is no ${decodeURIComponent(path)}`,
  ({ body }) => `not ${body.slice(body.indexOf('/a/'))}`,
  ({ path }) => `https://127.0.0.1${path}`,
]

/** An error of the protocol, or the bytes themselves if it has no error texts. */
type Answer = (bytes: Buffer) => string | Buffer
const answersOf: Readonly<Record<string, Answer>> = {
  email: (bytes) => {
    const line = bytes.toString('latin1').trim()
    return line.startsWith('EHLO') ? '250-mail.example.org\r\n250 AUTH PLAIN LOGIN\r\n' : `535 5.7.8 not ${line}\r\n`
  },
  redis: (bytes) => `-WRONGPASS not ${bytes.toString('latin1').replaceAll(/\s+/g, ' ')}\r\n`,
  nats: (bytes) => `-ERR 'Authorization Violation ${bytes.toString('latin1').replaceAll(/\s+/g, ' ')}'\r\n`,
  mqtt: (bytes) => {
    // CONNACK with «bad user name or password», and all of it as its reason string (MQTT 5.0 sections 3.2 and 3.2.2.3.9).
    const words = bytes.subarray(0, 100)
    const properties = Buffer.concat([Buffer.from([0x1f, 0, words.length]), words])
    const rest = Buffer.concat([Buffer.from([0, 134, properties.length]), properties])
    return Buffer.concat([Buffer.from([0x20, rest.length]), rest])
  },
}
