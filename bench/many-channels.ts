import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { sql } from 'kysely'
import { catalog } from '#channels/catalog.ts'
import { createClient } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { startReceiver } from './receiver.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { temporaryFolder } from './seed.ts'
import { openWallClock } from './wall-clock.ts'

/** How late a single notification is beside the channels of other users: 1, 1,000 and 5,000 users with two channels each. */

const users = [1, 1_000, 5_000]
/** The interval is so long that each notification meets an idle server. */
const everyMs = 100
const tasks = 200
const leadMs = 15 * 60_000
const builtInUser = 1

/** Inserts users with a console and a webhook each, by two statements instead of 15,000 requests. */
async function seedUsers(path: string, howMany: number, url: string): Promise<void> {
  const store = await openStore(`sqlite:${path}`, { clock: systemClock, onBroken: fail })
  const secret = `whsec_${Buffer.from(randomUUID().repeat(2)).toString('base64').slice(0, 44)}`
  const options = JSON.stringify({ url, secret })
  await store.transact(async (tx, now) => {
    await sql`
      insert into users (id, name, role, created_at, default_reminders, time_zone)
      with recursive n(i) as (select 2 union all select i + 1 from n where i < ${howMany})
      select i, 'user' || i, 'admin', ${now}, '["PT15M"]', 'UTC' from n where i <= ${howMany}`.execute(tx)
    await sql`
      insert into channels (user_id, name, kind, source, created_at, updated_at, options)
      select id, 'Webhook', 'webhook', 'api', ${now}, ${now}, ${options} from users where id > ${builtInUser}`.execute(
      tx,
    )
    await sql`
      insert into channels (user_id, name, kind, source, created_at, updated_at, ignores_quiet_hours)
      select id, 'console', 'console', 'built-in', ${now}, ${now}, 1 from users where id > ${builtInUser}`.execute(tx)
  })
  await store[Symbol.asyncDispose]()
}

/** The lateness of each notification, sorted, in ms. */
async function measure(howMany: number): Promise<number[]> {
  using folder = temporaryFolder()
  await using webhooks = await startReceiver()
  const path = join(folder.path, 'bench.db')
  await seedUsers(path, howMany, webhooks.url)

  const now = openWallClock()
  const sentAt = new Map<number, number>()
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const receiver = receiverInProcess(({ task }) => {
    sentAt.set(task.id, now())
    if (sentAt.size === tasks) finish()
  })
  const kinds = [receiver, ...catalog.filter(({ kind }) => kind !== 'console')]
  await using app = await startEmbedded(path, { kinds })
  const client = createClient(app.url)
  await client.createChannel({ name: 'Webhook', kind: 'webhook', options: { url: webhooks.url } })

  const dueAt = new Map<number, number>()
  const from = Date.now() + 3_000
  for (let i = 0; i < tasks; i++) {
    const at = from + i * everyMs
    const task = await client.createTask({ title: `Task ${i}`, expiry_dt: new Date(at + leadMs).toISOString() })
    dueAt.set(task.id, at)
  }
  if (Date.now() > from) throw new Error('creating the tasks took longer than expected: the measurement is invalid')
  const untilMs = from + tasks * everyMs + 10_000 - Date.now()
  await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, untilMs))])
  if (sentAt.size < tasks) throw new Error(`only ${sentAt.size} of ${tasks} notifications came`)
  await webhooks.received(tasks, 10_000)
  return [...dueAt].map(([id, at]) => (sentAt.get(id) ?? Number.NaN) - at).sort((a, b) => a - b)
}

function fail(error: unknown): never {
  throw error
}

const figures: Figure[] = []
let alone: number | undefined
for (const howMany of users) {
  progress(`${count(howMany)} users`)
  const lateness = await measure(howMany)
  const [p50, p99, max] = [quantile(lateness, 0.5), quantile(lateness, 0.99), quantile(lateness, 1)]
  alone ??= p50
  figures.push({
    what: `${count(howMany)} users: lateness`,
    measured: `p50 ${digits(p50)} ms, p99 ${digits(p99)} ms, max ${digits(max)} ms`,
    target: 'p50 ≤ 1.5 times that of one user',
    isMet: p50 <= 1.5 * alone,
  })
}
report({
  title: 'Many channels',
  note: `Users have two channels each, a console that is a receiver in the process and a webhook on loopback; ${count(tasks)} tasks of one user fire ${everyMs} ms apart; lateness is from a task's instant until the console is called.`,
  figures,
})
