import assert from 'node:assert/strict'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { NotificationWire } from '#api/schemas/notification.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { createClient, type DuebellClient, ProblemError } from '#client/client.ts'
import { eventually } from '#kit/eventually.ts'
import { spawnServer } from '#kit/server-process.ts'
import { type Receiver, startReceiver } from '#kit/webhook-receiver.ts'
import { temporaryFolder } from '#support/databases.ts'
import { sizes } from '#test/sizes.ts'

/**
 * The real server is killed with SIGKILL at random moments while several writers create, edit and delete tasks that are due at once and
 * soon, and a receiver of webhooks counts. TORTURE_KILLS sets the number of kills. This tests the process: the content of its memory is
 * lost. The machine is not switched off, so it does not test fsync.
 */
const { kills } = sizes
const writers = 4

/** A task as one writer knows it. */
interface Known {
  readonly key: string
  /** The task of the last response; null after its deletion. */
  task: TaskWire | null
  /** A write to it got no response: it may have happened. Nothing more is written to it. */
  isUncertain: boolean
}

const soon = (maxMs: number) => new Date(Date.now() + Math.floor(Math.random() * maxMs)).toISOString()
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T

/** Creates, edits and deletes until it is stopped, one request after the other. */
async function write(name: string, server: { client: Promise<DuebellClient> }, known: Known[], stop: AbortSignal) {
  const own: Known[] = []
  for (let i = 0; !stop.aborted; i++) {
    const client = await server.client
    const certain = own.filter(({ task, isUncertain }) => task !== null && !isUncertain).slice(-20)
    const one = Math.random() < 0.5 || certain.length === 0 ? undefined : pick(certain)
    try {
      if (!one) {
        const key = `${name}-${i}`
        const entry: Known = { key, task: null, isUncertain: true }
        known.push(entry)
        own.push(entry)
        const expiry_dt = Math.random() < 0.3 ? new Date(Date.now() - 1_000).toISOString() : soon(1_500)
        entry.task = await client.createTask({ title: key, key, expiry_dt, reminders: ['PT0S'] })
        entry.isUncertain = false
        continue
      }
      const { id } = one.task as TaskWire
      one.isUncertain = true
      const chance = Math.random()
      if (chance < 0.25) {
        await client.deleteTask(id)
        one.task = null
      } else if (chance < 0.75) one.task = await client.updateTask(id, { expiry_dt: soon(1_500) })
      else one.task = await client.updateTask(id, { title: `${one.key} at ${Date.now()}` })
      one.isUncertain = false
    } catch (error) {
      // The connection was cut off or refused: the server is dead. Every response counts as intended.
      if (error instanceof ProblemError) throw error
      await delay(5)
    }
  }
}

interface Claimed {
  readonly id: string
}

/** The deliveries in flight of the dead process, read from a copy of its files, so that the next start finds the files unchanged. */
function claimedIn(path: string, copy: string): Set<string> {
  if (!existsSync(path)) return new Set()
  for (const part of ['', '-wal']) if (existsSync(path + part)) copyFileSync(path + part, copy + part)
  using database = new DatabaseSync(copy)
  const hasTable = database.prepare(`select 1 from sqlite_master where name = 'deliveries'`).get()
  if (!hasTable) return new Set()
  const rows = database.prepare('select id from deliveries where claimed_at is not null and next_at is not null').all()
  return new Set((rows as unknown as Claimed[]).map(({ id }) => id))
}

async function all<T>(pages: (cursor: string | undefined) => Promise<{ items: T[]; next: string | null }>) {
  const found: T[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { items, next } = await pages(cursor)
    found.push(...items)
    cursor = next
  }
  return found
}

const allNotifications = (client: DuebellClient): Promise<NotificationWire[]> =>
  all(async (cursor) => {
    const page = await client.listNotifications({ limit: 1_000, ...(cursor !== undefined && { cursor }) })
    return { items: page.notifications, next: page.next_cursor }
  })

const isOpen = ({ deliveries }: NotificationWire) => deliveries.some(({ state }) => state === 'pending')

test(`killed ${kills} times under load, it loses no acknowledged write and no notification`, async (t) => {
  const receiver: Receiver = await startReceiver(t)
  // Some responses take a while, so that a kill finds attempts in flight.
  receiver.answer = async (_, response) => {
    if (Math.random() < 0.3) await delay(Math.random() * 20)
    response.writeHead(204).end()
  }
  const folder = temporaryFolder(t)
  const config = join(folder, 'config.json')
  const path = join(folder, 'duebell.db')
  const { url, secret } = receiver
  writeFileSync(config, JSON.stringify({ channels: [{ name: 'hook', kind: 'webhook', options: { url, secret } }] }))

  let isUp = false
  let next = Promise.withResolvers<DuebellClient>()
  const server = { client: next.promise }
  const start = () => {
    const started = spawnServer(t, ['--config', config, '--database-url', `sqlite:${path}`])
    started.ready.then(
      (url) => {
        isUp = true
        next.resolve(createClient(url, { tries: 1 }))
      },
      () => {}, // killed before it listened: the writers wait for the next server
    )
    return started
  }

  const known: Known[] = []
  const stopWriting = new AbortController()
  let process = start()
  const writing = Promise.all(
    Array.from({ length: writers }, (_, i) => write(`w${i}`, server, known, stopWriting.signal)),
  )

  /** The number of times each delivery was in flight at a kill: it may come once more for each. */
  const inHand = new Map<string, number>()
  for (let n = 0; n < kills; n++) {
    // Mostly while it serves; sometimes during startup, when it takes over the claims of its predecessor.
    if (n % 4 !== 3) await process.ready
    await delay(50 + Math.random() * 450)
    process.child.kill('SIGKILL')
    await process.ended
    if (isUp) {
      isUp = false
      next = Promise.withResolvers()
      server.client = next.promise
    }
    for (const id of claimedIn(path, join(folder, 'copy.db'))) inHand.set(id, (inHand.get(id) ?? 0) + 1)
    process = start()
  }
  const client = await server.client
  stopWriting.abort()
  await writing

  let notifications: NotificationWire[] = []
  const lastExpiryAt = Date.now() + 1_500
  await eventually(
    'all that is due has fired and been sent',
    async () => {
      if (Date.now() < lastExpiryAt) return false
      notifications = await allNotifications(client)
      const tasks = await Array.fromAsync(client.iterateTasks())
      const notified = new Set(notifications.map(({ task_id, expiry_dt }) => `${task_id} ${expiry_dt}`))
      return !notifications.some(isOpen) && tasks.every(({ id, expiry_dt }) => notified.has(`${id} ${expiry_dt}`))
    },
    60_000,
  ).catch((error) => t.diagnostic(String(error)))

  const stored = new Map((await Array.fromAsync(client.iterateTasks())).map((task) => [task.key as string, task]))
  const certain = known.filter(({ isUncertain }) => !isUncertain)
  const lost = certain.filter(({ key, task }) => task && JSON.stringify(stored.get(key)) !== JSON.stringify(task))
  const resurrected = certain.filter(({ key, task }) => !task && stored.has(key))

  const { receipts } = receiver
  const received = new Set(receipts.map(({ taskId, expiry }) => `${taskId} ${expiry}`))
  const missing = [...stored.values()].filter(({ id, expiry_dt }) => !received.has(`${id} ${expiry_dt}`))
  const times = Map.groupBy(receipts, ({ id }) => id)
  const unsent = notifications.flatMap(({ deliveries }) =>
    deliveries.filter(({ kind, state, id }) => kind === 'webhook' && state === 'sent' && !times.has(id)),
  )
  const twice = [...times].filter(([, { length }]) => length > 1)
  const tooOften = twice.filter(([id, { length }]) => length > 1 + (inHand.get(id) ?? 0))
  const inFlight = [...inHand.keys()].filter((id) => times.has(id))
  const ids = Map.groupBy(receipts, ({ taskId, expiry, due }) => `${taskId} ${expiry} ${due}`)
  const underTwoIds = [...ids.values()].filter((same) => new Set(same.map(({ id }) => id)).size > 1)

  const answered = certain.reduce((sum, { task }) => sum + (task?.version ?? 1), 0)
  t.diagnostic(
    `${kills} kills, ${known.length} tasks, at least ${answered} answered writes, ${notifications.length} notifications: ` +
      `${lost.length} lost, ${resurrected.length} resurrected, ${missing.length} missing, ` +
      `${receipts.length - times.size} came again of ${inFlight.length} inFlight`,
  )
  assert.deepEqual(receiver.faults, [])
  assert.deepEqual(lost, [], 'writes that were answered and are not there')
  assert.deepEqual(resurrected, [], 'tasks that were deleted and are back')
  assert.deepEqual(missing, [], 'tasks that are due and were never told')
  assert.deepEqual(unsent, [], 'deliveries that are said to be sent and never came')
  assert.deepEqual(notifications.filter(isOpen), [], 'deliveries that nothing came of')
  assert.deepEqual(tooOften, [], 'deliveries that came again without having been underway at a kill')
  assert.deepEqual(underTwoIds, [], 'notifications that came under two ids')
  assert.ok(answered > kills && receipts.length > kills, 'nothing was going on: what does this test?')
})
