import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createSecureServer } from 'node:tls'
import { type Request, startHostileReceiver } from './hostile-receiver.ts'
import { subjects } from './http-subjects.ts'
import { peerSubjects } from './peer-subjects.ts'
import { freePort } from './peers.ts'
import type { Place } from './secret-options.ts'
import { selfSigned } from './self-signed.ts'

/** What goes wrong between a channel and its receiver. */
export const faults = ['repeats', 'hangs', 'resets', 'refuses', 'untrusted'] as const
export type Fault = (typeof faults)[number]

export interface BadReceivers {
  /** Where one is for this kind that has this fault. */
  place(kind: string, fault: Fault): Place
  /** So often a kind has to be tried until its receiver has repeated everything in each of its ways. */
  readonly ways: number
  /** What those who repeat were sent over HTTP. */
  readonly requests: readonly Request[]
}

/**
 * Receivers of every kind with every fault: one repeats what it was sent in its refusal, where its protocol has a place for words; one says
 * nothing; one hangs up; one is not there; the certificate of the last is nobody's.
 */
export async function startBadReceivers(t: TestContext): Promise<BadReceivers> {
  const requests: Request[] = []
  const repeating = new Map<string, number>()
  for (const { kind, refusal } of subjects) {
    let turn = 0
    const receiver = await startHostileReceiver(t, (request, response) => {
      requests.push(request)
      const [status, repeat] = [statuses[turn % statuses.length] as number, repeats[turn % repeats.length] as Repeat]
      turn++
      response.writeHead(status, `No ${encodeURIComponent(request.path)}`).end((refusal ?? String)(repeat(request)))
    })
    repeating.set(kind, Number(new URL(receiver.url).port))
  }
  for (const { kind, greeting } of peerSubjects) {
    const answer: Answer = answersOf[kind.kind] ?? ((said) => said)
    const server = createServer((socket) => {
      socket.write(greeting)
      socket.on('data', (said: Buffer) => void socket.write(answer(said)))
    })
    repeating.set(kind.kind, await listen(t, server))
  }
  const ports: Record<Exclude<Fault, 'repeats'>, number> = {
    hangs: await listen(
      t,
      createServer(() => {}),
    ),
    resets: await listen(
      t,
      createServer((socket) => void socket.once('data', () => socket.resetAndDestroy())),
    ),
    refuses: await freePort(),
    untrusted: await listen(
      t,
      createSecureServer(selfSigned, () => {}),
    ),
  }
  return {
    ways: repeats.length,
    requests,
    place(kind, fault) {
      const port = fault === 'repeats' ? repeating.get(kind) : ports[fault]
      if (port === undefined) throw new Error(`nobody repeats what a channel of the kind ${kind} says`)
      return { port, isEncrypted: fault === 'untrusted' }
    },
  }
}

type Repeat = (request: Request) => string
const statuses = [401, 400, 500, 404, 302, 410, 429]
/** The first characters are what is read of it. */
const repeats: readonly Repeat[] = [
  ({ headers }) => `not with ${Object.values(headers).toReversed().join(' ')}`,
  ({ path }) => `there is no ${path}`,
  ({ body }) => `not ${body.slice(0, 150)}`,
  ({ path }) => `there is no ${decodeURIComponent(path)}`,
  ({ body }) => `not ${body.slice(body.indexOf('/a/'))}`,
  ({ path }) => `https://127.0.0.1${path}`,
]

/** As the protocol has it; where it has no words, the bytes themselves. */
type Answer = (said: Buffer) => string | Buffer
const answersOf: Readonly<Record<string, Answer>> = {
  email: (said) => {
    const line = said.toString('latin1').trim()
    return line.startsWith('EHLO') ? '250-mail.example.org\r\n250 AUTH PLAIN LOGIN\r\n' : `535 5.7.8 not ${line}\r\n`
  },
  redis: (said) => `-WRONGPASS not ${said.toString('latin1').replaceAll(/\s+/g, ' ')}\r\n`,
  nats: (said) => `-ERR 'Authorization Violation ${said.toString('latin1').replaceAll(/\s+/g, ' ')}'\r\n`,
  mqtt: (said) => {
    // CONNACK with «bad user name or password», and all of it as its reason string (MQTT 5.0 sections 3.2 and 3.2.2.3.9).
    const words = said.subarray(0, 100)
    const properties = Buffer.concat([Buffer.from([0x1f, 0, words.length]), words])
    const rest = Buffer.concat([Buffer.from([0, 134, properties.length]), properties])
    return Buffer.concat([Buffer.from([0x20, rest.length]), rest])
  },
}

async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // the sender may be gone
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}
