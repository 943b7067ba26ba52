import { join } from 'node:path'
import { createClient } from '#client/client.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { seedDatabase, temporaryFolder } from './seed.ts'
import { openWallClock } from './wall-clock.ts'

/** How late notifications are, however many tasks wait: 2,000 tasks over 20 s, beside 0, 100,000 and 1,000,000 others. */

const tasks = 2_000
const spanMs = 20_000
const leadMs = 15 * 60_000
const othersPending = [0, 100_000, 1_000_000]

/** The lateness of each notification, sorted, in ms, and the number that came before their instant. */
async function measure(others: number): Promise<{ lateness: number[]; early: number }> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'bench.db')
  await seedDatabase(path, others)

  const now = openWallClock()
  const sentAt = new Map<number, number>()
  let early = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const receiver = receiverInProcess(({ task, notification }) => {
    sentAt.set(task.id, now())
    if (Date.now() < notification.dueAt) early++
    if (sentAt.size === tasks) finish()
  })
  await using app = await startEmbedded(path, { kinds: [receiver] })
  const client = createClient(app.url)

  const dueAt = new Map<number, number>()
  const from = Date.now() + 3_000
  const instants = Array.from({ length: tasks }, () => Math.floor(from + Math.random() * spanMs))
  while (instants.length > 0)
    await Promise.all(
      instants.splice(0, 32).map(async (at, i) => {
        const task = await client.createTask({ title: `Task ${i}`, expiry_dt: new Date(at + leadMs).toISOString() })
        dueAt.set(task.id, at)
      }),
    )
  if (Date.now() > from) throw new Error('creating the tasks took longer than expected: the measurement is invalid')
  await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, from + spanMs + 10_000 - Date.now()))])
  if (sentAt.size < tasks) throw new Error(`only ${sentAt.size} of ${tasks} notifications came`)
  const lateness = [...dueAt].map(([id, at]) => (sentAt.get(id) ?? Number.NaN) - at)
  return { lateness: lateness.sort((a, b) => a - b), early }
}

const figures: Figure[] = []
for (const others of othersPending) {
  progress(`${count(others)} others pending`)
  const { lateness, early } = await measure(others)
  const [p50, p99, max] = [quantile(lateness, 0.5), quantile(lateness, 0.99), quantile(lateness, 1)]
  figures.push(
    {
      what: `${count(others)} others pending: lateness`,
      measured: `p50 ${digits(p50)} ms, p99 ${digits(p99)} ms, max ${digits(max)} ms`,
      target: 'p50 ≤ 1 ms, p99 ≤ 3 ms',
      isMet: p50 <= 1 && p99 <= 3,
    },
    { what: `${count(others)} others pending: early`, measured: count(early), target: '0', isMet: early === 0 },
  )
}
report({
  title: 'Punctuality',
  note: `${count(tasks)} tasks, created over HTTP, fire at random instants over ${spanMs / 1_000} s; lateness is from a task's instant until its channel is called.`,
  figures,
})
