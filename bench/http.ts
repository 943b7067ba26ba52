import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { toCursor } from '#wire/cursor.ts'
import { startBare } from './bare.ts'
import { load, type Request } from './load.ts'
import { count, digits, type Figure, median, progress, report } from './report.ts'
import { seedDatabase, temporaryFolder } from './seed.ts'
import { cpuMs, startServer } from './server.ts'

/**
 * Requests a second at concurrency 32, compared with a bare Fastify route in the same run. Every server has a process of its own, and this
 * process makes the load. The measurements alternate, so that other work on the machine affects all of them alike.
 */

const connections = 32
const rounds = 3
const seconds = 2
const warmUpSeconds = 1
const fewTasks = 10_000
const manyTasks = 1_000_000
/** The number of different requests that a connection sends before it starts again. */
const variety = 250

interface Subject {
  readonly url: string
  readonly child: ChildProcess
  /** @param nth index among all requests of a round @param round from 0 */
  readonly request: (nth: number, round: number) => Request
}

interface Measured {
  readonly perSecond: number[]
  /** µs of the server's processor time per request. */
  readonly cpuUs: number[]
}

async function measure({ url, child, request }: Subject, round: number, seconds: number, into?: Measured) {
  const requests = Array.from({ length: connections }, (_, client) =>
    Array.from({ length: variety }, (_, i) => request(client * variety + i, round)),
  )
  const before = cpuMs(child)
  const { answers, perSecond } = await load(url, seconds * 1_000, requests, { isAwake: true })
  into?.perSecond.push(perSecond)
  into?.cpuUs.push(((cpuMs(child) - before) * 1_000) / answers)
}

using folder = temporaryFolder()
progress('databases')
const [readsPath, createsPath, manyPath] = ['reads.db', 'creates.db', 'many.db'].map((name) =>
  join(folder.path, name),
) as [string, string, string]
await seedDatabase(readsPath, fewTasks)
await seedDatabase(createsPath, fewTasks)
await seedDatabase(manyPath, manyTasks)

await using few = await startServer({ databasePath: readsPath })
await using creates = await startServer({ databasePath: createsPath })
await using many = await startServer({ databasePath: manyPath })
await using bare = await startBare(await (await fetch(`${few.url}/v1/tasks/1`)).text())

const expiry = (minutes: number) => new Date(Date.parse('2099-01-01T00:00:00Z') + minutes * 60_000).toISOString()
const draft = (nth: number): Request => ({
  method: 'POST',
  path: '/v1/tasks',
  body: JSON.stringify({ title: `Renew passport number ${nth}`, expiry_dt: expiry(nth) }),
})
/** Spreads requests over all ids: 7,919 is prime. */
const idAmong = (tasks: number, nth: number) => 1 + ((nth * 7_919) % tasks)
const read = (tasks: number) => (nth: number) => ({ path: `/v1/tasks/${idAmong(tasks, nth)}` })
const list = (tasks: number) => (nth: number) => ({
  path: `/v1/tasks?limit=100&cursor=${toCursor(idAmong(tasks - 100, nth))}`,
})
// Each connection has half as many tasks as requests and edits each twice, so that every request changes something.
const edit = (nth: number, round: number): Request => {
  const half = variety / 2
  const [connection, within] = [Math.floor(nth / variety), nth % variety]
  return {
    method: 'PATCH',
    path: `/v1/tasks/${1 + connection * half + (within % half)}`,
    body: JSON.stringify({ expiry_dt: expiry(2 * round + Math.floor(within / half)) }),
  }
}

const subjects = {
  bareGet: { ...bare, request: read(fewTasks) },
  read: { ...few, request: read(fewTasks) },
  readMany: { ...many, request: read(manyTasks) },
  barePost: { ...bare, request: draft },
  create: { ...creates, request: draft },
  edit: { ...few, request: edit },
  list: { ...few, request: list(fewTasks) },
  listMany: { ...many, request: list(manyTasks) },
} satisfies Record<string, Subject>
const names = Object.keys(subjects) as (keyof typeof subjects)[]
const measured = Object.fromEntries(names.map((name) => [name, { perSecond: [], cpuUs: [] }])) as unknown as Record<
  keyof typeof subjects,
  Measured
>

progress('warming up')
for (const name of names) await measure(subjects[name], rounds, warmUpSeconds)
for (let round = 0; round < rounds; round++) {
  progress(`round ${round + 1} of ${rounds}`)
  for (const name of names) await measure(subjects[name], round, seconds, measured[name])
}

const rate = (name: keyof typeof subjects) => median(measured[name].perSecond)
const cpu = (name: keyof typeof subjects) => median(measured[name].cpuUs)
const render = (name: keyof typeof subjects) =>
  `${count(Math.round(rate(name)))}/s at ${digits(cpu(name))} µs of processor time`
const ratio = (name: keyof typeof subjects, of: keyof typeof subjects) =>
  median(measured[name].perSecond.map((value, round) => value / (measured[of].perSecond[round] ?? Number.NaN)))

/** One line that compares a subject with a bare route. */
function beside(what: string, name: keyof typeof subjects, of: keyof typeof subjects, least: number): Figure {
  const found = ratio(name, of)
  return {
    what,
    measured: `${render(name)}: ${digits(found)} of the bare ${of === 'bareGet' ? 'GET' : 'POST'}`,
    target: `≥ ${least} of it`,
    isMet: found >= least,
  }
}

function atLeast(what: string, name: keyof typeof subjects, least: number): Figure {
  return { what, measured: render(name), target: `≥ ${count(least)}/s`, isMet: rate(name) >= least }
}

/** «Flat» means at most a tenth more. */
function flat(what: string, name: keyof typeof subjects, of: keyof typeof subjects): Figure {
  const found = ratio(name, of)
  return {
    what,
    measured: `${render(name)}: ${digits(found)} of that`,
    target: 'flat (≥ 0.9)',
    isMet: found >= 0.9,
  }
}

report({
  title: 'HTTP',
  note: `${connections} connections, ${count(fewTasks)} tasks; medians of ${rounds} rounds of ${seconds} s that take turns, after a warm-up. A bare Fastify process answers the same JSON from a constant, or echoes what was posted. Each server has a core to itself while it is measured; on the other the load generator never sleeps.`,
  figures: [
    { what: 'bare Fastify GET', measured: render('bareGet') },
    { what: 'bare Fastify POST', measured: render('barePost') },
    beside('read by id', 'read', 'bareGet', 0.6),
    beside('create, synced before the answer', 'create', 'barePost', 0.4),
    atLeast('edit of an expiry, synced before the answer', 'edit', 10_000),
    atLeast('list of 100 by cursor', 'list', 3_500),
    flat(`list of 100 among ${count(manyTasks)}`, 'listMany', 'list'),
    flat(`read by id among ${count(manyTasks)}`, 'readMany', 'read'),
  ],
})
