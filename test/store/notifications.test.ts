import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listNotifications } from '#store/notification-list.ts'
import * as notifications from '#store/notifications.ts'
import { testDatabase } from '#support/databases.ts'
import { fire, hourMs, me, notification, now, open, other } from './open-store.ts'

describe(`${testDatabase}: notifications`, () => {
  test('a notification comes back as it was written, for its user', async (t) => {
    const store = await open(t)
    const kinds = [
      notification(1),
      notification(2, { reminder: null, kind: 'snooze' }),
      { ...notification(3), reminder: now },
    ] as ReturnType<typeof notification>[]
    const written = await fire(store, ...kinds)
    assert.deepEqual(
      written.map(({ id, acknowledgedAt, ...rest }) => rest),
      kinds,
    )
    for (const one of written) {
      assert.deepEqual(await notifications.findNotification(store.db, me, one.id), one)
      assert.equal(await notifications.findNotification(store.db, other, one.id), undefined)
    }
  })

  test('there is one notification for a task, expiry and instant: a second is skipped, and others in the same statement are written', async (t) => {
    const store = await open(t)
    const [first] = await fire(store, notification(1))
    assert.ok(first)
    const second = await fire(
      store,
      notification(1, { reminder: 'PT1H' }),
      notification(2),
      notification(3, { expiryAt: now + 2 * hourMs }),
    )
    assert.deepEqual(
      second.map(({ taskId }) => taskId),
      [2, 3],
    )
    assert.deepEqual(await notifications.findNotification(store.db, me, first.id), first)
    assert.equal((await fire(store, notification(1, { dueAt: now + 1 }))).length, 1)
    assert.equal((await fire(store, notification(1, { expiryAt: now + 2 * hourMs }))).length, 1)
    assert.deepEqual(await fire(store), [])
  })

  test('the latest firing is read by expiry, for one task and for many alike', async (t) => {
    const store = await open(t)
    await fire(store, notification(1, { dueAt: now - 5 }))
    await fire(store, notification(1, { dueAt: now - 9 }))
    await fire(store, notification(1, { dueAt: now + 5, expiryAt: now }), notification(2, { dueAt: now + 7 }))
    const firedUntil = (...tasks: [id: number, expiryAt: number][]) =>
      notifications.firedUntil(
        store.db,
        tasks.map(([id, expiryAt]) => ({ id, expiryAt })),
      )
    const later = now + hourMs
    assert.deepEqual(await firedUntil([1, later]), new Map([[1, now - 5]]))
    assert.deepEqual(await firedUntil([1, now]), new Map([[1, now + 5]]))
    assert.deepEqual(await firedUntil([1, now + 1]), new Map())
    const all = new Map([
      [1, now - 5],
      [2, now + 7],
    ])
    assert.deepEqual(await firedUntil([1, later], [2, later], [3, later]), all)
    assert.deepEqual(await firedUntil([1, later], [2, now]), new Map([[1, now - 5]]), 'each by its own expiry')
    assert.deepEqual(await firedUntil(), new Map())
  })

  test('a list is the newest first, of one task or of all of a user', async (t) => {
    const store = await open(t)
    const written = await fire(
      store,
      notification(1),
      notification(2),
      notification(3),
      notification(4, { userId: other }),
    )
    const [a, b, c] = written
    assert.ok(a && b && c)
    const list = ({ taskId, ...page }: { before: number; limit: number; taskId?: number }) =>
      listNotifications(store.db, me, taskId === undefined ? {} : { taskId }, page)
    const before = Number.MAX_SAFE_INTEGER
    assert.deepEqual(await list({ before, limit: 10 }), [c, b, a])
    assert.deepEqual(await list({ before: c.id, limit: 1 }), [b])
    assert.deepEqual(await list({ before, limit: 10, taskId: 2 }), [b])
    assert.deepEqual(await list({ before, limit: 10, taskId: 4 }), [])
  })
})
