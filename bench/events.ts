import { once } from 'node:events'
import { get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { count, digits, progress, quantile, report } from './report.ts'
import { seedDatabase, temporaryFolder } from './seed.ts'
import { cpuMs, residentMb, startServer } from './server.ts'

/**
 * A thousand subscribers: the cost of each, how soon they get an event, how long a write delays others, and subscribers that do not read.
 */

const clients = 1_000
const writes = 100
const stalledClients = 100
const stalledEvents = 500
const largeBytes = 60_000

/** Runs in a thread of its own. Sends an empty request every 2 ms, and reports how long each response took. */
async function probe(url: string): Promise<void> {
  const latencies: number[] = []
  let isOver = false
  parentPort?.once('message', () => {
    isOver = true
  })
  while (!isOver) {
    const startedAt = performance.now()
    await new Promise((resolve, reject) =>
      get(`${url}/livez`, (response) => response.resume().on('end', resolve)).on('error', reject),
    )
    latencies.push(performance.now() - startedAt)
    await sleep(2)
  }
  parentPort?.postMessage(latencies)
}

/** Measures how long the server delays others, until it is stopped. */
function watchLoop(url: string): () => Promise<number[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: url })
  return async () => {
    worker.postMessage('stop')
    const [latencies] = (await once(worker, 'message')) as [number[]]
    await worker.terminate()
    return latencies.sort((a, b) => a - b)
  }
}

/** Opens a stream that begins now. */
async function follow(url: string, onData: (bytes: Buffer) => void): Promise<Socket> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET /v1/events HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => resolve()) // the head, and the cursor at which it begins
  })
  socket.on('data', onData)
  return socket
}

const json = { 'content-type': 'application/json' }
const send = async (method: string, url: string, body: object) => {
  const response = await fetch(url, { method, headers: json, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`)
  return (await response.json()) as { id: number }
}

async function main() {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'events.db')
  await seedDatabase(databasePath, 1_000)
  await using server = await startServer({ databasePath })
  const { url, child } = server

  progress(`${count(clients)} follow`)
  await send('PATCH', `${url}/v1/tasks/1`, { title: 'Warm' })
  await sleep(1_000)
  const before = residentMb(child)
  let missing = 0
  let whenAll = () => {}
  const end = Buffer.from('\n\n')
  const sockets: Socket[] = []
  for (let i = 0; i < clients; i += 50)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, () =>
          follow(url, (bytes) => {
            // An event ends with its chunk, or the chunk is a heartbeat.
            if (bytes.includes('data: ') && bytes.subarray(-2).equals(end) && --missing === 0) whenAll()
          }),
        ),
      )),
    )
  await sleep(1_000)
  const memory = residentMb(child).all - before.all

  async function write(i: number): Promise<number> {
    missing = clients
    const all = new Promise<number>((resolve) => {
      whenAll = () => resolve(performance.now())
    })
    await send('PATCH', `${url}/v1/tasks/${1 + (i % 1_000)}`, { title: `Sent to all, number ${i}` })
    const answeredAt = performance.now()
    return Math.max(0, (await all) - answeredAt)
  }
  progress('warming up')
  for (let i = 0; i < 30; i++) await write(i)
  progress(`${count(writes)} writes`)
  const stopWatching = watchLoop(url)
  await sleep(500)
  const cpuBefore = cpuMs(child)
  const latencies: number[] = []
  for (let i = 0; i < writes; i++) {
    latencies.push(await write(100 + i))
    await sleep(10)
  }
  const cpu = (cpuMs(child) - cpuBefore) / writes
  const waits = await stopWatching()
  latencies.sort((a, b) => a - b)
  for (const socket of sockets) socket.destroy()
  await sleep(1_000)

  progress(`${stalledClients} that do not read`)
  const { id } = await send('POST', `${url}/v1/tasks`, { title: 'Large', description: 'x'.repeat(largeBytes) })
  const stalled = await Promise.all(Array.from({ length: stalledClients }, () => follow(url, () => {})))
  for (const socket of stalled) socket.pause()
  for (let i = 0; i < 50; i++) await send('PATCH', `${url}/v1/tasks/1`, { title: `Warm ${i}` })
  const beforeStalled = residentMb(child)
  for (let i = 0; i < stalledEvents; i++) await send('PATCH', `${url}/v1/tasks/${id}`, { title: `Large, number ${i}` })
  const stalledMb = residentMb(child).all - beforeStalled.all
  for (const socket of stalled) socket.destroy()

  const perClientKb = (memory * 1_024) / clients
  report({
    title: 'Events',
    note: `One server process on SQLite, streams of server-sent events from another process on the same machine. Each write is sent to all ${count(clients)} before the next; 2,000 may follow at most.`,
    figures: [
      {
        what: `memory, ${count(clients)} streams open`,
        measured: `+${digits(memory)} MB, ${digits(perClientKb)} KB each`,
      },
      {
        what: "from a write's answer to the last of them having its event",
        measured: `p50 ${digits(quantile(latencies, 0.5))} ms, p99 ${digits(quantile(latencies, 0.99))} ms`,
      },
      { what: 'processor time of the server a write, sent to all', measured: `${digits(cpu)} ms` },
      {
        what: 'meanwhile, answers to others, in a thread of their own',
        measured: `p50 ${digits(quantile(waits, 0.5))} ms, p99 ${digits(quantile(waits, 0.99))} ms, max ${digits(quantile(waits, 1))} ms`,
        target: 'p99 ≤ 20 ms',
        isMet: quantile(waits, 0.99) <= 20,
      },
      {
        what: `memory, ${stalledClients} that do not read ${stalledEvents} events of ${largeBytes / 1_000} KB`,
        measured: `+${digits(stalledMb)} MB of ${count((stalledClients * stalledEvents * largeBytes) / 1e6)} MB`,
        target: '≤ 64 MB',
        isMet: stalledMb <= 64,
      },
    ],
  })
}

if (isMainThread) await main()
else await probe(workerData as string)
