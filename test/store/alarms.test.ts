import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NewTask } from '#core/task.ts'
import * as alarms from '#store/alarms.ts'
import * as recompute from '#store/recompute.ts'
import * as tasks from '#store/tasks.ts'
import { testDatabase } from '#support/databases.ts'
import { draft, hourMs, insert, me, now, open, other } from './open-store.ts'

describe(`${testDatabase}: alarms`, () => {
  const armed = (notifyAt: number | null, userId = me): NewTask => ({ ...draft({}, userId), notifyAt })

  test('the next alarm is the earliest of all users', async (t) => {
    const store = await open(t)
    assert.equal(await alarms.nextAlarmAt(store.db), null)
    await insert(store, armed(null))
    assert.equal(await alarms.nextAlarmAt(store.db), null)
    await insert(store, armed(now + 5), armed(now - 5, other), armed(now))
    assert.equal(await alarms.nextAlarmAt(store.db), now - 5)
  })

  test('due tasks are those whose alarm has passed, the longest due first, up to a limit', async (t) => {
    const store = await open(t)
    await insert(store, armed(now), armed(now + 1), armed(now - 9, other), armed(null), armed(now - 3))
    const due = (limit: number) => store.transact((tx) => alarms.dueTasks(tx, now, limit))
    assert.deepEqual(
      (await due(10)).map(({ notifyAt }) => notifyAt),
      [now - 9, now - 3, now],
    )
    assert.deepEqual(
      (await due(2)).map(({ notifyAt }) => notifyAt),
      [now - 9, now - 3],
    )
  })

  test('an alarm is moved only from the value that was read', async (t) => {
    const store = await open(t)
    const [a, b, c] = await insert(store, armed(now), armed(now), armed(now))
    assert.ok(a && b && c)
    await store.transact((tx) =>
      alarms.moveAlarms(tx, [
        { id: a.id, seenAt: now, notifyAt: now + 9, firedUntilAt: now },
        { id: b.id, seenAt: now - 1, notifyAt: now + 9, firedUntilAt: now },
        { id: c.id, seenAt: now, notifyAt: null, firedUntilAt: null },
      ]),
    )
    const stored = await tasks.tasksByIds(store.db, [a.id, b.id, c.id])
    assert.deepEqual(stored.get(a.id), { ...a, notifyAt: now + 9, firedUntilAt: now })
    assert.deepEqual(stored.get(b.id), b)
    assert.deepEqual(stored.get(c.id), { ...c, notifyAt: null })
  })

  test('alarms to recompute come by expiry, up to a limit, and are set whatever they were', async (t) => {
    const store = await open(t)
    const expires = (ms: number) => ({ expiry: { at: now + ms } })
    const [late, , soon, done, also] = await insert(
      store,
      draft(expires(2 * hourMs)),
      draft(),
      draft(expires(hourMs)),
      draft({ ...expires(hourMs), completed: { at: now } }),
      draft(expires(hourMs)),
      draft(expires(hourMs), other),
      draft(expires(-hourMs)),
    )
    assert.ok(late && soon && done && also)
    const found = async (taskId: number, limit: number, before = Number.MAX_SAFE_INTEGER) => {
      const range = { after: { expiryAt: now + hourMs, taskId }, before }
      const tasks = await store.transact((tx) => recompute.nextByExpiry(tx, me, range, limit))
      const positions = await recompute.nextPositions(store.db, me, range, limit)
      assert.deepEqual(
        tasks.map(({ id, expiryAt }) => ({ taskId: id, expiryAt })),
        positions,
      )
      return tasks.map(({ id }) => id)
    }
    assert.deepEqual(await found(0, 10), [soon.id, done.id, also.id, late.id])
    assert.deepEqual(await found(0, 2), [soon.id, done.id])
    assert.deepEqual(await found(done.id, 10), [also.id, late.id])
    assert.deepEqual(await found(0, 10, now + hourMs), [])
    await store.transact((tx) => recompute.setAlarms(tx, [{ ...soon, notifyAt: now + 1, firedUntilAt: now - 1 }]))
    assert.deepEqual(await tasks.findTask(store.db, me, soon.id), {
      ...soon,
      notifyAt: now + 1,
      firedUntilAt: now - 1,
    })
    assert.deepEqual(await tasks.findTask(store.db, me, also.id), also)
  })
})
