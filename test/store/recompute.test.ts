import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { openWalk, type Walk } from '#actions/recompute.ts'
import { type Defaults, nextReminder } from '#core/reminder.ts'
import type { Store } from '#store/engine/open.ts'
import { openStore } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { findStaleUsers } from '#store/recompute.ts'
import { listTasks, tasksByIds } from '#store/tasks.ts'
import { builtInUserId, getUser } from '#store/users.ts'
import { freshDatabase, testDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { insertMany } from '#support/many-tasks.ts'

/** The walk that recomputes alarms in chunks, and reads of tasks meanwhile, on every database. */
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]
const me = builtInUserId
const byOld: Defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }

async function start(t: TestContext) {
  const url = await freshDatabase(t)
  const clock = fakeClock()
  const open = async () => {
    const store = await openStore(url, { clock, onBroken() {} })
    t.after(() => store[Symbol.asyncDispose]())
    return store
  }
  const store = await open()
  await adopt(store, byOld)
  await end(openWalk({ store, limit: () => 1_000, wake() {} }, me))
  return { clock, store, open, now: clock.now() }
}

const adopt = (store: Store, defaults: Defaults) => store.transact((tx, now) => adoptServerDefaults(tx, defaults, now))

/** A walk with small chunks. */
const walkOf = (store: Store, wake: (at: number) => void = () => {}) => openWalk({ store, limit: () => 100, wake }, me)

/** @returns the number of tasks that it advanced the walk */
async function end(walk: Walk): Promise<number> {
  let count = 0
  for (;;) {
    const { tasks, isDone } = await walk.step()
    count += tasks
    if (isDone) return count
  }
}

/** Tasks that were written a minute ago, with the alarm of the old defaults. */
async function insert(store: Store, now: number, howMany: number, expiry_at: number, more: object = {}) {
  const alarm = { notify_at: expiry_at - 15 * minuteMs, updated_at: now - minuteMs }
  await insertMany(store, howMany, { expiry_at, ...alarm, ...more })
  const tasks = await listTasks(store.db, me, { after: 0, limit: 10_000, offset: 0 })
  return tasks.slice(-howMany).map(({ id }) => id)
}

async function alarmsOf({ db }: Store, ids: readonly number[]): Promise<Set<number | null | undefined>> {
  const tasks = await tasksByIds(db, ids)
  return new Set(ids.map((id) => tasks.get(id)?.notifyAt))
}

/** Reminders that are already due have been due since `changedAt`. */
async function assertAllFollow(store: Store, changedAt = 0) {
  const { defaults, staleSince } = await getUser(store.db, me)
  assert.equal(staleSince, null)
  for (const task of await listTasks(store.db, me, { after: 0, limit: 10_000, offset: 0 }))
    assert.equal(task.notifyAt, latest(nextReminder(task, defaults), changedAt), `task ${task.id}`)
}

const latest = (next: number | null, at: number) => (next === null ? null : Math.max(next, at))

describe(`${testDatabase}: the walk`, () => {
  test('begins with the soonest expiry, ends with expired tasks, and takes each task once', async (t) => {
    const { store, now } = await start(t)
    const late = await insert(store, now, 150, now + 40 * dayMs)
    const past = await insert(store, now, 50, now - hourMs, { notify_at: null, fired_until_at: now - hourMs })
    const soon = await insert(store, now, 150, now + 20 * dayMs)
    const done = await insert(store, now, 120, now + dayMs, { completed_at: now, notify_at: null })
    await adopt(store, { ...byOld, reminders: ['PT1H'] })
    const walk = walkOf(store)
    const isMoved = async (ids: readonly number[]) =>
      !(await alarmsOf(store, ids)).has(now + 20 * dayMs - 15 * minuteMs)

    assert.deepEqual(
      await walk.step(),
      { tasks: 0, tasksBefore: 0, moved: [], isDone: false },
      'as many rows, though all are done',
    )
    while (walk.isBehind()) assert.equal((await walk.step()).tasks, 0, 'nothing is due soon')
    assert.equal((await walk.step()).tasks, 80)
    assert.deepEqual([await isMoved(soon.slice(0, 80)), await isMoved(soon.slice(80, 81))], [true, false])
    assert.deepEqual(await findStaleUsers(store.db), [me])
    assert.equal(await end(walk), 270)
    assert.deepEqual(await findStaleUsers(store.db), [])
    assert.deepEqual(await alarmsOf(store, late), new Set([now + 40 * dayMs - hourMs]))
    assert.deepEqual(await alarmsOf(store, [...past, ...done]), new Set([null]))
    await assertAllFollow(store)
  })

  test('continues where another has stopped, and changes nothing before that', async (t) => {
    const { store, now, open } = await start(t)
    const ids = await insert(store, now, 350, now + 20 * dayMs)
    await adopt(store, { ...byOld, reminders: ['PT1H'] })
    assert.equal((await walkOf(store).step()).tasks, 100)
    // A task that is computed a second time would lose this mark.
    const mark = now + 7
    const marked = ids.slice(0, 100)
    const setMark = store.db.updateTable('tasks').set({ notify_at: mark }).where('id', 'in', marked)
    await setMark.where('notify_at', '=', now + 20 * dayMs - hourMs).execute()
    assert.deepEqual(await alarmsOf(store, marked), new Set([mark]))

    const next = testDatabase === 'sqlite' ? store : await open()
    await adopt(next, { ...byOld, reminders: ['PT1H'] }) // as each start does
    const walk = walkOf(next)
    assert.deepEqual(await walk.step(), { tasks: 100, tasksBefore: 100, moved: [], isDone: false })
    assert.equal(await end(walk), 150)
    assert.deepEqual(await alarmsOf(next, ids.slice(100)), new Set([now + 20 * dayMs - hourMs]))
    // The mark is an alarm within ten minutes, of a task whose reminder is due in 20 days: no walk has read it.
    assert.deepEqual(await alarmsOf(next, marked), new Set([mark]))
  })

  test('computes alarms due within minutes before the rest, whatever expires before', async (t) => {
    const { store, now } = await start(t)
    await insert(store, now, 500, now + 3 * dayMs)
    const ten = now + 10 * dayMs
    const dueSoon = [
      ...(await insert(store, now, 60, ten + 5 * minuteMs)),
      ...(await insert(store, now, 60, ten + 6 * minuteMs, { time_zone: 'Asia/Tokyo' })),
    ]
    const inMarch = Date.parse('2027-03-01T09:00:00Z')
    const local = await insert(store, now, 1, inMarch, { reminders: '["P3M"]', notify_at: now + 2 * hourMs })
    await adopt(store, {
      reminders: ['P10D', 'PT5M'],
      dayReminders: ['PT0S'],
      dayTime: '09:00',
      timeZone: 'Africa/Lagos',
    })
    const woken: number[] = []
    const walk = walkOf(store, (at) => woken.push(at))
    await walk.step()
    while (walk.isBehind()) await walk.step()
    assert.deepEqual(await alarmsOf(store, dueSoon), new Set([now + 5 * minuteMs, now + 6 * minuteMs]))
    assert.deepEqual(await alarmsOf(store, local), new Set([Date.parse('2026-12-01T09:00:00Z')]))
    assert.ok(woken.includes(now + 5 * minuteMs), 'the bell is told')
    await end(walk)
    await assertAllFollow(store, now)
  })

  test('stays ahead of the clock', async (t) => {
    const { store, now, clock } = await start(t)
    await insert(store, now, 500, now + 9 * dayMs)
    const due = await insert(store, now, 1, now + 10 * dayMs + 14 * minuteMs)
    await adopt(store, { ...byOld, reminders: ['PT240H'] })
    const walk = walkOf(store)
    await walk.step()
    while (walk.isBehind()) await walk.step()
    assert.equal((await alarmsOf(store, due)).has(now + 14 * minuteMs), false, 'later than ten minutes')
    clock.set(now + 6 * minuteMs)
    await walk.step()
    while (walk.isBehind()) await walk.step()
    assert.deepEqual(await alarmsOf(store, due), new Set([now + 14 * minuteMs]))
  })

  test('restarts if the defaults change once more, and the last ones apply', async (t) => {
    const { store, now } = await start(t)
    await insert(store, now, 350, now + 20 * dayMs)
    await adopt(store, { ...byOld, reminders: ['PT1H'] })
    const walk = walkOf(store)
    await walk.step()
    await adopt(store, { ...byOld, reminders: ['PT2H'] })
    assert.equal(await end(walk), 350)
    await assertAllFollow(store)
    assert.deepEqual((await getUser(store.db, me)).defaults.reminders, ['PT2H'])
  })

  test('skips a row that another program has changed, and ends', async (t) => {
    const { store, now } = await start(t)
    const [bad = 0] = await insert(store, now, 3, now + 20 * dayMs)
    await store.db.updateTable('tasks').set({ reminders: '["soon"]' }).where('id', '=', bad).execute()
    await adopt(store, { reminders: ['PT1H'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' })
    assert.equal(await end(walkOf(store)), 3)
    assert.deepEqual(await findStaleUsers(store.db), [])
  })
})

describe(`${testDatabase}: two replicas`, { skip: testDatabase === 'sqlite' && 'an embedded database has one' }, () => {
  test('that start with the same defaults share the walk: each task is computed once', async (t) => {
    const { store, now, open } = await start(t)
    const other = await open()
    await insert(store, now, 1_500, now + 20 * dayMs)
    const defaults = { ...byOld, reminders: ['PT1H'] }
    await Promise.all([adopt(store, defaults), adopt(other, defaults)])
    const counts = await Promise.all([end(walkOf(store)), end(walkOf(other))])
    assert.equal(counts[0] + counts[1], 1_500)
    await assertAllFollow(store)
  })

  test('that start with different ones, one after the other, end with the last ones', async (t) => {
    const { store, now, open } = await start(t)
    const other = await open()
    await insert(store, now, 1_000, now + 20 * dayMs)
    const walks: Promise<number>[] = []
    for (let i = 1; i <= 4; i++) {
      const one = i % 2 === 0 ? store : other
      await adopt(one, { ...byOld, reminders: [`PT${i}H`] })
      walks.push(end(walkOf(one)))
    }
    await Promise.all(walks)
    await assertAllFollow(store)
    assert.deepEqual((await getUser(store.db, me)).defaults.reminders, ['PT4H'])
  })
})
