import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { insertDueAt, temporaryFolder } from './seed.ts'
import { startServer } from './server.ts'
import { openWallClock } from './wall-clock.ts'

/** How a healthy channel is affected by others that hang, fail, drip and reset, when all of them get every notification. */

const perSecond = 1_000
const seconds = 10
/** The number of tasks due at one instant. */
const together = 10
const aheadMs = 4_000
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const now = openWallClock()

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A receiver that runs until the end of the benchmark. */
async function listen(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    request.on('error', () => {})
    response.on('error', () => {})
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const bad: Record<string, Answer> = {
  hangs: (request) => {
    request.resume()
  },
  fails: (request, response) => {
    request.resume().on('end', () => response.writeHead(500).end())
  },
  drips: (request, response) => {
    request.resume()
    response.writeHead(200, { 'content-length': '1000000' })
    const dripping = setInterval(() => response.write('.'), 1_000)
    response.on('close', () => clearInterval(dripping))
  },
  resets: (request) => {
    request.socket.resetAndDestroy()
  },
}

interface Run {
  /** ms, sorted. */
  readonly lateness: readonly number[]
  /** MB, the maximum resident memory. */
  readonly memory: number
}

async function run(names: readonly string[]): Promise<Run> {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'bench.db')
  const tasks = perSecond * seconds
  const from = Date.now() + aheadMs
  {
    await using store = await openStore(`sqlite:${databasePath}`, {
      clock: systemClock,
      onBroken(error) {
        throw error
      },
    })
    const stepMs = (1_000 * together) / perSecond
    for (let i = 0; i < tasks; i += together) await insertDueAt(store, from + (i / together) * stepMs, together)
  }
  if (Date.now() > from - 1_500)
    throw new Error('filling the database took longer than expected: the measurement is invalid')

  const lateness: number[] = []
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const healthy = await listen(async (request, response) => {
    let body = ''
    const at = now()
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    response.writeHead(204).end()
    lateness.push(at - Date.parse(JSON.parse(body).data.notification.due_dt))
    if (lateness.length === tasks) finish()
  })
  const urls = [
    ['healthy', healthy],
    ...(await Promise.all(names.map(async (name) => [name, await listen(bad[name] as Answer)]))),
  ]
  const channels = urls.map(([name, url]) => ({ name, kind: 'webhook', options: { url, secret } }))
  await using server = await startServer({ databasePath, channels })
  let memory = 0
  const watching = setInterval(() => {
    const [, kb] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8')) ?? []
    memory = Math.max(memory, Number(kb) / 1_024)
  }, 200)
  const giveUp = setTimeout(finish, aheadMs + seconds * 1_000 + 60_000)
  await finished
  clearTimeout(giveUp)
  clearInterval(watching)
  if (lateness.length < tasks) throw new Error(`only ${lateness.length} of ${tasks} notifications came`)
  return { lateness: lateness.sort((a, b) => a - b), memory }
}

const words = ({ lateness, memory }: Run) =>
  `p50 ${digits(quantile(lateness, 0.5))} ms, p99 ${digits(quantile(lateness, 0.99))} ms, max ${digits(quantile(lateness, 1))} ms; ${digits(memory)} MB`

const maxGrowthMs = 1_000
const maxMemoryMb = 512
const figures: Figure[] = []
progress('a healthy channel alone')
const alone = await run([])
figures.push({ what: 'a healthy channel alone: lateness; most memory', measured: words(alone) })
for (const names of [...Object.keys(bad).map((name) => [name]), Object.keys(bad)]) {
  const what = names.length > 1 ? 'all four' : `one that ${names[0]}`
  progress(`beside ${what}`)
  const beside = await run(names)
  const growth = quantile(beside.lateness, 0.99) - quantile(alone.lateness, 0.99)
  figures.push({
    what: `beside ${what}`,
    measured: `${words(beside)}; p99 grew by ${digits(growth)} ms`,
    target: `p99 + < ${count(maxGrowthMs)} ms, ≤ ${maxMemoryMb} MB`,
    isMet: growth < maxGrowthMs && beside.memory <= maxMemoryMb,
  })
}
report({
  title: 'Isolation of channels',
  note: `${count(perSecond)} notifications a second for ${seconds} s, each to every channel: a healthy webhook on loopback and, beside it, webhooks that never answer, answer 500, drip a byte a second, or reset the connection. Lateness is from the reminder's instant until the healthy receiver has the request.`,
  figures,
})
process.exit()
