import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { toCursor } from '#wire/cursor.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { insertDueEvery, seedDatabase, temporaryFolder } from './seed.ts'
import { residentMb } from './server.ts'
import { openWallClock } from './wall-clock.ts'

/**
 * How the server serves others, and how late its notifications are, during an attack: 500 slow connections, or 2,000 to 5,000 that send as
 * fast as they can. There are three kinds of processes and threads: the server with a receiver of notifications in it, the load, and a
 * client that behaves like people.
 */

const tasks = 10_000
/** The last tasks are large: a list of these is 6 MB, more than the kernel buffers for a client that does not read. */
const largeTasks = 100
const slowConnections = 500
/** The maximum number of connections of the server. */
const full = 5_000
const phaseMs = 8_000
const fireEveryMs = 20

// The server, in a process of its own.

interface Measured {
  /** ms, sorted. */
  readonly lateness: number[]
}

/** Fires a task every 20 ms until it is stopped, and reports how late each notification was. */
async function serve(path: string, flags: readonly string[]): Promise<void> {
  const now = openWallClock()
  let lateness: number[] = []
  let finish = () => {}
  let expected = Number.POSITIVE_INFINITY
  const app = await startEmbedded(path, {
    flags,
    kinds: [
      receiverInProcess(({ notification }) => {
        lateness.push(now() - notification.dueAt)
        if (lateness.length === expected) finish()
      }),
    ],
  })
  process.on('message', async (ms: number) => {
    expected = Math.floor(ms / fireEveryMs)
    lateness = []
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const from = Date.now() + 2_000
    await insertDueEvery(app.store, fireEveryMs, from, expected)
    if (Date.now() > from) throw new Error('setting up took longer than expected: the measurement is invalid')
    await sleep(from - Date.now())
    process.send?.('begun')
    await finished
    process.send?.({ lateness: lateness.sort((a, b) => a - b) } satisfies Measured)
  })
  process.on('disconnect', () => process.exit())
  process.send?.(app.url)
}

async function startServer(path: string, flags: readonly string[] = []) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', path, ...flags])
  const exited = once(child, 'exit')
  const [address] = (await once(child, 'message')) as [string]
  const url = address.replace('0.0.0.0', '127.0.0.1')
  return {
    url,
    child,
    /** Resolves when the first notification has arrived, with a promise of the lateness of all. */
    async fire(ms: number): Promise<{ measured: Promise<Measured> }> {
      child.send(ms)
      await once(child, 'message')
      return { measured: once(child, 'message').then(([measured]) => measured as Measured) }
    },
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await exited
    },
  }
}
type Server = Awaited<ReturnType<typeof startServer>>

// A client that behaves like people, in a thread of its own.

interface Client {
  readonly url: string
  readonly from: string
}

interface Measurements {
  /** ms, sorted. */
  readonly latencies: number[]
  readonly refused: number
}

/** Every 5 ms, after the previous response: a task, an edit of one, a list of 20. Refused requests are counted, and not timed. */
async function useApi({ url, from }: Client): Promise<void> {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), localAddress: from, noDelay: true })
  await once(socket, 'connect')
  parentPort?.postMessage('ready')
  let latencies: number[] = []
  let refused = 0
  parentPort?.on('message', () => {
    parentPort?.postMessage({ latencies: latencies.sort((a, b) => a - b), refused } satisfies Measurements)
    latencies = []
    refused = 0
  })
  for (let i = 0; ; i++) {
    const id = 1 + ((i * 7_919) % (tasks - largeTasks))
    const body = JSON.stringify({ priority: i % 2 === 0 ? 'low' : 'high' })
    const json = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    const startedAt = performance.now()
    socket.write(
      [
        `GET /v1/tasks/${id} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        `PATCH /v1/tasks/${id} HTTP/1.1\r\nHost: ${host}\r\n${json}\r\n${body}`,
        `GET /v1/tasks?limit=20 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      ][i % 3] as string,
    )
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (answer.toString('latin1', 9, 12) === '200') latencies.push(performance.now() - startedAt)
    else refused++
    await sleep(5)
  }
}

async function startClient(client: Client) {
  const worker = new Worker(new URL(import.meta.url), { workerData: client })
  await once(worker, 'message')
  /** The responses since the last report. */
  const ask = async (): Promise<Measurements> => {
    worker.postMessage('tell')
    const [measurements] = (await once(worker, 'message')) as [Measurements]
    return measurements
  }
  return { ask, [Symbol.asyncDispose]: async () => void (await worker.terminate()) }
}

// The load.

/** Responses by status, and the results of failed connections. */
type Tally = Map<string, number>
const add = (tally: Tally, what: string) => tally.set(what, (tally.get(what) ?? 0) + 1)

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

type Slowness = 'headers' | 'bodies' | 'reading'

/** Opens connections that do one thing as slowly as they may, and reconnect when they are cut off, until they are stopped. */
async function beSlow(url: string, slowness: Slowness, connections = slowConnections): Promise<() => void> {
  const { host } = new URL(url)
  const sockets = new Set<Socket>()
  let isOver = false
  const begin = {
    headers: `GET /v1/tasks HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `,
    bodies: `POST /v1/tasks HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"title":"`,
    reading: `GET /v1/tasks?limit=${largeTasks}&cursor=${toCursor(tasks - largeTasks)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  }[slowness]
  const come = async () => {
    const socket = await open(url)
    sockets.add(socket)
    socket.write(begin)
    if (slowness === 'reading') socket.pause()
    socket.on('close', () => {
      sockets.delete(socket)
      if (!isOver) come().catch(() => {})
    })
  }
  for (let i = 0; i < connections; i += 25) await Promise.all(Array.from({ length: 25 }, come))
  const drip = setInterval(() => {
    if (slowness !== 'reading') for (const socket of sockets) socket.write('x')
  }, 1_000)
  return () => {
    isOver = true
    clearInterval(drip)
    for (const socket of sockets) socket.destroy()
  }
}

/** Opens connections that repeat the same request after each response, and reconnect when they are closed, until an instant. */
async function flood(url: string, connections: number, request: string, until: number): Promise<Tally> {
  const tally: Tally = new Map()
  const { hostname, port } = new URL(url)
  const drive = () => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let missing = 0
    socket.on('connect', () => socket.write(request))
    socket.on('error', ({ code }: NodeJS.ErrnoException) => add(tally, String(code)))
    socket.on('close', () => {
      if (performance.now() < until) setTimeout(drive, 20)
    })
    socket.on('data', (data: Buffer) => {
      if (missing === 0) {
        const headLength = data.indexOf('\r\n\r\n') + 4
        const head = data.toString('latin1', 0, headLength)
        missing = headLength + Number(/^content-length: (\d+)/im.exec(head)?.[1])
        add(tally, head.slice(9, 12))
      }
      missing -= data.length
      if (missing > 0) return
      if (performance.now() < until) socket.write(request)
      else socket.destroy()
    })
  }
  for (let i = 0; i < connections; i++) drive()
  await sleep(until - performance.now() + 1_500)
  return tally
}

// The measurements.

const figures: Figure[] = []
const span = (sorted: readonly number[]) =>
  `p50 ${digits(quantile(sorted, 0.5))} ms, p99 ${digits(quantile(sorted, 0.99))} ms, max ${digits(quantile(sorted, 1))} ms`

async function measureSlow({ url, child }: Server, slowness: Slowness, what: string) {
  progress(`${slowConnections}, ${what}`)
  await using client = await startClient({ url, from: '127.0.0.1' })
  await sleep(2_000)
  const before = residentMb(child).all
  await client.ask()
  await sleep(phaseMs)
  const alone = await client.ask()
  const end = await beSlow(url, slowness)
  await sleep(2_000)
  await client.ask()
  await sleep(phaseMs)
  const beside = await client.ask()
  const memory = residentMb(child).all - before
  end()
  const p99 = quantile(beside.latencies, 0.99)
  figures.push({
    what: `${slowConnections} connections ${what}: answers to others`,
    measured: `${span(beside.latencies)}, ${beside.refused} refused; without them ${span(alone.latencies)}; memory ${memory < 0 ? '' : '+'}${digits(memory)} MB`,
    target: 'p99 ≤ 200 ms',
    isMet: p99 <= 200 && beside.refused === 0,
  })
  await sleep(1_000)
}

/** Measures how soon a new client gets a response while other connections hold all slots, and reconnect as soon as they are closed. */
async function measureFull({ url }: Server) {
  progress(`${count(full)} connections, headers that do not end`)
  const end = await beSlow(url, 'headers', full)
  const waits: number[] = []
  const until = performance.now() + 3 * phaseMs // longer than the limit for headers
  while (performance.now() < until) {
    waits.push(await timeLivez(url, until))
    await sleep(50)
  }
  end()
  waits.sort((a, b) => a - b)
  const p99 = quantile(waits, 0.99)
  figures.push({
    what: `${count(full)} connections with headers that do not end: /livez over a new connection`,
    measured: `${span(waits)}, of ${waits.length}`,
    target: 'p99 ≤ 200 ms',
    isMet: p99 <= 200,
  })
  await sleep(1_000)
}

/** ms until /livez responds, over as many new connections as that takes, or until an instant. */
async function timeLivez(url: string, until: number): Promise<number> {
  const startedAt = performance.now()
  while (performance.now() < until) {
    const socket = await open(url)
    socket.end(get('/livez', ['Connection: close'])(new URL(url).host))
    const answer = await new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (data) => {
        text += data
      })
      socket.on('close', () => resolve(text))
    })
    if (answer.startsWith('HTTP/1.1 200')) break
    await sleep(20)
  }
  return performance.now() - startedAt
}

interface Flood {
  readonly connections: number
  readonly what: string
  readonly request: (host: string) => string
  /** The address of the client; the flood comes from 127.0.0.1. */
  readonly clientFrom?: string
}

async function measureFlood({ url, fire }: Server, { connections, what, request, clientFrom = '127.0.0.1' }: Flood) {
  progress(`${count(connections)} connections, ${what}`)
  await using client = await startClient({ url, from: clientFrom })
  const { measured } = await fire(phaseMs)
  await client.ask()
  const tally = await flood(url, connections, request(new URL(url).host), performance.now() + phaseMs)
  const measurements = await client.ask()
  const { lateness } = await measured
  const p99 = quantile(lateness, 0.99)
  const of = (status: string) => tally.get(status) ?? 0
  const statuses = [...tally].filter(([status]) => /^\d/.test(status))
  const answers = statuses.reduce((sum, [, times]) => sum + times, 0)
  const share = (status: string) => `${digits((100 * of(status)) / answers)} %`
  const others = [...tally].filter(([status]) => !/^(?:[24]00|429|503)$/.test(status))
  const lost = others.map(([status, times]) => `, ${count(times)} ${status}`).join('')
  figures.push(
    {
      what: `${count(connections)} connections, ${what}: lateness of the bell`,
      measured: span(lateness),
      target: 'p99 ≤ 100 ms',
      isMet: p99 <= 100,
    },
    {
      what: 'meanwhile',
      measured: `${count(Math.round((answers * 1_000) / phaseMs))} answers a second, ${share('429')} of them 429, ${share('503')} 503${lost}; another client ${measurements.latencies.length > 0 ? span(measurements.latencies) : 'was never served'}, ${measurements.refused} of its ${measurements.refused + measurements.latencies.length} refused`,
    },
  )
  await sleep(2_000)
}

const get =
  (path: string, more: string[] = []) =>
  (host: string) =>
    [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...more, '', ''].join('\r\n')
const create = (host: string) => {
  const body = JSON.stringify({ title: 'Renew passport', expiry_dt: '2099-01-01T00:00:00Z' })
  const head = [`POST /v1/tasks HTTP/1.1`, `Host: ${host}`, 'Content-Type: application/json']
  return [...head, `Content-Length: ${body.length}`, '', body].join('\r\n')
}
/** A body of 1 MiB. */
const post = (path: string, begin: string, repeated: string, end: string) => (host: string) => {
  const times = Math.floor((2 ** 20 - begin.length - end.length) / repeated.length)
  const body = begin + repeated.repeat(times) + end
  const head = [`POST ${path} HTTP/1.1`, `Host: ${host}`, 'Content-Type: application/json']
  return [...head, `Content-Length: ${body.length}`, '', body].join('\r\n')
}

async function main(): Promise<void> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'overload.db')
  await seedDatabase(path, tasks)
  const database = new DatabaseSync(path)
  database.prepare('update tasks set description = ? where id > ?').run('x'.repeat(60_000), tasks - largeTasks)
  database.close()
  {
    await using server = await startServer(path)
    await measureSlow(server, 'headers', 'with headers that do not end')
    await measureFull(server)
    await measureSlow(server, 'bodies', 'with bodies that do not end')
    await measureSlow(server, 'reading', 'that do not read a list of 6 MB')
    await measureFlood(server, { connections: 32, what: 'creates, a full load', request: create })
    await measureFlood(server, { connections: 2_000, what: 'reads', request: get('/v1/tasks/17') })
    await measureFlood(server, { connections: 5_000 - 100, what: 'reads', request: get('/v1/tasks/17') })
    await measureFlood(server, { connections: 2_000, what: 'creates', request: create })
    await measureFlood(server, { connections: 2_000, what: '/livez', request: get('/livez') })
    await measureFlood(server, { connections: 2_000, what: 'what is not there', request: get('/v1/%zz') })
    await measureFlood(server, { connections: 2_000, what: 'lists of 100', request: get('/v1/tasks?limit=100') })
    await measureFlood(server, { connections: 200, what: 'lists of 10,000', request: get('/v1/tasks?limit=10000') })
    await measureFlood(server, {
      connections: 16,
      what: '1 MiB of brackets to /v1/session',
      request: post('/v1/session', '', '['.repeat(2 ** 19) + ']'.repeat(2 ** 19), ''),
    })
    await measureFlood(server, {
      connections: 16,
      what: '1 MiB of empty lists to /v1/tasks',
      request: post('/v1/tasks', '[[]', ',[]', ']'),
    })
    await measureFlood(server, {
      connections: 16,
      what: '1 MiB of texts to /v1/tasks',
      request: post('/v1/tasks', '{"tags":["ab"', ',"ab"', ']}'),
    })
    await measureFlood(server, {
      connections: 500,
      what: 'reads, each over a connection of its own',
      request: get('/v1/tasks/17', ['Connection: close']),
    })
  }
  await using limited = await startServer(path, ['--host=0.0.0.0', '--allow-anyone-on-network'])
  await measureFlood(limited, {
    connections: 2_000,
    what: 'reads, limited to 6,000 a minute, the other client from another address',
    request: get('/v1/tasks/17'),
    clientFrom: '127.0.0.2',
  })

  report({
    title: 'Overload',
    note: `One server process on SQLite, ${count(tasks)} tasks. The other client asks for a task, an edit and a list of 20 in turns, every 5 ms after the last answer. A flood asks again as soon as it is answered, for ${phaseMs / 1_000} s, in which ${phaseMs / fireEveryMs} tasks fire. Server, load and client share the machine.`,
    figures,
  })
}

if (process.argv[2] === 'serve') await serve(process.argv[3] ?? '', process.argv.slice(4))
else if (isMainThread) await main()
else await useApi(workerData as Client)
