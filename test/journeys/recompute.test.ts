import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dialect } from 'kysely'
import { nextReminder } from '#core/reminder.ts'
import type { Store } from '#store/engine/open.ts'
import { listTasks } from '#store/tasks.ts'
import { getUser } from '#store/users.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { insertMany } from '#support/many-tasks.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** A start with other default reminders or another zone: the server listens at once, and is right, while alarms are recomputed. */
const startAt = '2026-12-01T09:00:00Z'
const now = Date.parse(startAt)
const [minuteMs, dayMs] = [60_000, 86_400_000]
const howMany = 2_500
const far = now + 20 * dayMs

/**
 * Matching statements fail, except for the first ones. They do not block: on the embedded database every statement would wait behind them.
 */
function refusing(statement: RegExp) {
  const refusal = { allowed: 0, onAllowed: () => {} }
  const wrap = (dialect: Dialect) =>
    wrapConnections(dialect, async (text, run) => {
      if (!statement.test(text)) return run()
      if (refusal.allowed <= 0) throw new Error('refused by the test')
      refusal.allowed--
      refusal.onAllowed()
      return run()
    })
  return { refusal, wrap }
}

/** Sets alarms, whatever they were: a statement of the recompute, and not of the reminders loop. */
const alarmsSet = /set (t\.)?\W?notify_at\W? = r\.c1\b/i
const progressKept = /update \W?recomputes/i

async function startWithMany(t: TestContext): Promise<TestApp> {
  const app = await startTestApp(t, { startAt })
  await app.app.idle()
  await insertMany(app.app.store, howMany, { expiry_at: far, notify_at: far - 15 * minuteMs, updated_at: now - 1 })
  return app
}

async function tasksOf({ db }: Store) {
  return listTasks(db, 1, { after: 0, limit: 10_000, offset: 0 })
}

/** The number of tasks with the alarm of the current defaults. */
async function followed(store: Store): Promise<number> {
  const { defaults } = await getUser(store.db, 1)
  return (await tasksOf(store)).filter((task) => task.notifyAt === nextReminder(task, defaults)).length
}

const linesOf = ({ lines }: TestApp, words: string) => lines.filter((line) => line.includes(words)).length
const fired = ({ recorder }: TestApp) =>
  recorder.messages.map(({ task, sentAt }) => `${task.title} ${new Date(sentAt).toISOString().slice(11, 16)}`)

test('the port answers, and reminders fire, before any alarm has been recomputed', async (t) => {
  const app = await startWithMany(t)
  await app.client.createTask({ title: 'own', expiry_dt: '2026-12-01T09:20:00Z', reminders: ['PT15M'] })
  const { refusal, wrap } = refusing(alarmsSet)
  await app.restart({ flags: ['--default-reminders=PT1H'], wrapDatabase: wrap })
  assert.equal((await app.client.listTasks({ limit: 1 })).tasks.length, 1)
  assert.equal((await app.client.createTask({ title: 'new', expiry_dt: '2026-12-02T10:00:00Z' })).title, 'new')
  assert.equal(await followed(app.app.store), 2, 'the two that were created')
  await app.clock.advanceTo('2026-12-01T09:05:00Z')
  assert.deepEqual(fired(app), ['own 09:05'])

  refusal.allowed = Number.POSITIVE_INFINITY
  await app.clock.advance(5_000)
  assert.equal(await followed(app.app.store), howMany + 2)
  assert.equal(linesOf(app, 'alarm recompute started'), 1)
  assert.equal(linesOf(app, 'alarm recompute finished'), 1)
})

test('a task with a stale alarm fires, changes and is listed by the new defaults', async (t) => {
  const app = await startTestApp(t, { startAt, flags: ['--default-reminders=PT15M,PT5M'] })
  const { clock } = app
  const create = (title: string, time: string) => app.client.createTask({ title, expiry_dt: `2026-12-01T${time}:00Z` })
  await create('later', '09:40')
  await create('told', '09:20')
  await create('also told', '09:22')
  const edited = await create('edited', '10:30')
  await create('far', '18:00')
  await clock.advanceTo('2026-12-01T09:10:00Z')
  assert.deepEqual(fired(app), ['told 09:05', 'also told 09:07'])

  // Twelve minutes before their expiry both have fired already: the first by 09:08, the other just now.
  const { refusal, wrap } = refusing(/insert .*into \W?recomputes/i)
  await app.restart({ flags: ['--default-reminders=PT12M,PT2M'], wrapDatabase: wrap })
  const upcoming = async (limit = 100) =>
    (await app.client.listUpcoming({ until: '2026-12-01T23:00:00Z', limit })).upcoming.map(
      ({ title, due_dt }) => `${title} ${due_dt.slice(11, 16)}`,
    )
  const all = ['told 09:18', 'also told 09:20', 'later 09:28', 'later 09:38', 'edited 10:18', 'edited 10:28']
  assert.deepEqual(await upcoming(), [...all, 'far 17:48', 'far 17:58'])
  assert.deepEqual(await upcoming(3), all.slice(0, 3))
  const { store } = app.app
  await app.client.updateTask(edited.id, { title: 'Edited' })
  const row = (await tasksOf(store)).find(({ id }) => id === edited.id)
  assert.equal(row?.notifyAt, Date.parse('2026-12-01T10:18:00Z'), 'a title is enough')

  await clock.advanceTo('2026-12-01T10:00:00Z')
  assert.deepEqual(fired(app).slice(2), ['told 09:18', 'also told 09:20', 'later 09:28', 'later 09:38'])
  assert.notEqual((await getUser(store.db, 1)).staleSince, null)
  refusal.allowed = Number.POSITIVE_INFINITY
  await clock.advanceTo('2026-12-01T18:00:00Z')
  assert.equal((await getUser(store.db, 1)).staleSince, null)
  assert.deepEqual(fired(app).slice(6), ['Edited 10:18', 'Edited 10:28', 'far 17:48', 'far 17:58'])
})

test('a stop halfway is prompt, and the next start continues from there', async (t) => {
  const app = await startWithMany(t)
  const { refusal, wrap } = refusing(progressKept)
  refusal.allowed = 1
  const stopped = Promise.withResolvers<void>()
  refusal.onAllowed = () => stopped.resolve(app.app.stop())
  await app.restart({ flags: ['--default-reminders=PT1H'], wrapDatabase: wrap })
  await stopped.promise
  await app.restart({ flags: ['--default-reminders=PT1H'] })
  await app.app.idle()
  assert.equal(await followed(app.app.store), howMany)
  const done = Number(/alarm recompute resumed.*?tasks: (\d+)/s.exec(app.lines.join(''))?.[1])
  assert.ok(done > 0 && done < howMany, `${done}`)
  assert.equal(linesOf(app, 'alarm recompute started'), 1)
  assert.match(app.lines.find((line) => line.includes('recompute finished')) ?? '', new RegExp(`tasks: ${howMany}\\b`))
})

test('a change of settings that fails halfway is continued where it stopped, by the next start or by itself', async (t) => {
  for (const isStarted of [true, false]) {
    const app = await startWithMany(t)
    const { refusal, wrap } = refusing(progressKept)
    await app.restart({ wrapDatabase: wrap })
    refusal.allowed = 1
    await assert.rejects(app.client.updateSettings({ default_reminders: ['PT1H'] }))
    assert.equal(await followed(app.app.store), 1_000)
    refusal.allowed = Number.POSITIVE_INFINITY
    if (isStarted) await app.restart()
    else await app.clock.advance(60 * app.clock.maxSleepMs)
    await app.app.idle()
    assert.equal(await followed(app.app.store), howMany)
    assert.match(app.lines.find((line) => line.includes('recompute resumed')) ?? '', /tasks: 1000\b/)
  }
})
