import { closeSync, copyFileSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { count, digits, median, progress, report } from './report.ts'
import { makeOverdue, seedDatabase, temporaryFolder } from './seed.ts'
import { residentMb, startServer } from './server.ts'

/** The cost of a million pending tasks on an idle server: memory, and startup time. */

const tasks = 1_000_000
const overdue = 1_000
const rounds = 3
const idleMs = 3_000

/** Measures the memory of a server at rest. */
async function measureIdle(databasePath: string): Promise<ReturnType<typeof residentMb>> {
  await using server = await startServer({ databasePath })
  await sleep(idleMs)
  return residentMb(server.child)
}

/** Starts a server on a copy of a database with overdue tasks. @returns ms since its spawn */
async function measureStart(
  template: string,
): Promise<{ ready: number; firstNotification: number; lastNotification: number }> {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'bench.db')
  copyFileSync(template, databasePath)
  // Without this, the first COMMIT of the server would wait until our 400 MB are on the disk.
  const copy = openSync(databasePath, 'r+')
  fsyncSync(copy)
  closeSync(copy)
  const startedAt = performance.now()
  let [firstAt, lastAt, lines] = [0, 0, 0]
  const onOutput = (text: string) => {
    const notifications = text.split('Your task (id:').length - 1
    if (notifications === 0) return
    lines += notifications
    lastAt = performance.now()
    firstAt ||= lastAt
  }
  await using server = await startServer({ databasePath, onOutput })
  while (lines < overdue) {
    if (performance.now() - startedAt > 20_000)
      throw new Error(`only ${lines} of ${overdue} overdue notifications came`)
    await sleep(10)
  }
  return { ready: server.readyMs, firstNotification: firstAt - startedAt, lastNotification: lastAt - startedAt }
}

using folder = temporaryFolder()
progress('databases')
const [emptyPath, fullPath] = [join(folder.path, 'empty.db'), join(folder.path, 'full.db')]
await seedDatabase(emptyPath, 0)
await seedDatabase(fullPath, tasks)
type Resident = ReturnType<typeof residentMb>
const [empty, full]: [Resident[], Resident[]] = [[], []]
for (let round = 0; round < rounds; round++) {
  progress(`at rest, round ${round + 1} of ${rounds}`)
  empty.push(await measureIdle(emptyPath))
  full.push(await measureIdle(fullPath))
}
progress('starts')
const readyEmpty: number[] = []
for (let round = 0; round < rounds; round++) {
  await using server = await startServer({ databasePath: emptyPath })
  readyEmpty.push(server.readyMs)
}
await makeOverdue(fullPath, overdue)
const starts: Awaited<ReturnType<typeof measureStart>>[] = []
for (let round = 0; round < rounds; round++) starts.push(await measureStart(fullPath))

const all = (found: readonly Resident[]) => median(found.map((one) => one.all))
const own = (found: readonly Resident[]) => median(found.map((one) => one.own))
const more = all(full) - all(empty)
const ready = median(starts.map((start) => start.ready))
const firstNotification = median(starts.map((start) => start.firstNotification))
const lastNotification = median(starts.map((start) => start.lastNotification))
report({
  title: 'Memory and start',
  note: `The real process at rest for ${idleMs / 1_000} s, and from its spawn; medians of ${rounds}.`,
  figures: [
    {
      what: 'resident memory, no tasks',
      measured: `${digits(all(empty))} MB, ${digits(own(empty))} MB of it no file's`,
      target: '≤ 90 MB',
      isMet: all(empty) <= 90,
    },
    {
      what: `resident memory, ${count(tasks)} pending tasks`,
      measured: `${digits(all(full))} MB: ${more < 0 ? '−' : '+'}${digits(Math.abs(more))} MB`,
      target: '≤ +20 MB',
      isMet: more <= 20,
    },
    { what: 'start with no tasks: ready', measured: `${digits(median(readyEmpty))} ms` },
    {
      what: `start with ${count(tasks)} tasks, ${count(overdue)} of them overdue: ready`,
      measured: `${digits(ready)} ms`,
      target: '≤ 500 ms',
      isMet: ready <= 500,
    },
    {
      what: 'the same start: overdue notifications on the console',
      measured: `first after ${digits(firstNotification)} ms, all after ${digits(lastNotification)} ms`,
      target: 'at once (first ≤ 500 ms)',
      isMet: firstNotification <= 500,
    },
  ],
})
