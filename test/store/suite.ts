import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Dialect as KyselyDialect } from 'kysely'
import { sql } from 'kysely'
import { defaultChannelSettings } from '#channels/settings.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import type { NewTask, Task, TaskDraft } from '#core/task.ts'
import { newTask } from '#core/task-changes.ts'
import { changesSince, recordChange } from '#store/changes.ts'
import { channelKinds } from '#store/channels.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import * as claims from '#store/claims.ts'
import { recordChannels } from '#store/declared-channels.ts'
import * as deliveries from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { nextDue } from '#store/next-due.ts'
import { listNotifications } from '#store/notification-list.ts'
import * as notifications from '#store/notifications.ts'
import * as recompute from '#store/recompute.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash, purgeOldTrash } from '#store/trash.ts'
import * as users from '#store/users.ts'
import { failingDatabase, wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { parseSample, statementsOf } from '../crashes/sample.ts'

/** A database that nothing is in yet, with tables or without. */
export interface FreshDatabase {
  /** Opens it; again, once it was closed, with what is in it by then. */
  open(deps?: {
    clock?: Clock
    onBroken?: (error: unknown) => void
    wrap?: (dialect: KyselyDialect) => KyselyDialect
  }): Promise<Store>
  /** Once it is closed: as if nothing had ever been in it. */
  empty(): Promise<void>
}

const now = Date.parse('2026-12-01T09:00:00Z')
const defaults = { reminders: ['PT15M'], timeZone: 'UTC' }
const hourMs = 3_600_000
const [me, other] = [1, 2]

function draft(more: Partial<TaskDraft> = {}, userId = me): NewTask {
  return newTask({ title: 'Renew passport', ...more }, userId, randomUUID(), defaults, now)
}

type Fresh = (t: TestContext) => Promise<FreshDatabase>

/**
 * What every database must do the same.
 * @param fresh a database of its own for each test, without tables
 * @param migrated one with its tables
 */
export function storeSuite(name: string, fresh: Fresh, migrated: Fresh): void {
  const open = async (t: TestContext, deps: Parameters<FreshDatabase['open']>[0] = {}) => {
    const store = await (await migrated(t)).open({ clock: fakeClock(now), ...deps })
    t.after(() => store[Symbol.asyncDispose]())
    return store
  }
  const insert = ({ transact }: Store, ...drafts: NewTask[]): Promise<Task[]> =>
    transact(async (tx) => {
      const inserted: Task[] = []
      for (const one of drafts) inserted.push(await tasks.insertTask(tx, one))
      return inserted
    })

  describe(`${name}: tasks`, () => {
    test('a task comes back as it was written, each member of it', async (t) => {
      const store = await open(t)
      const full: NewTask = {
        ...draft({
          title: 'Ω «quotes» \' " \\ % _ 𝔘🎉 日本',
          key: 'key',
          description: 'x'.repeat(65_536),
          expiry: { at: Date.parse('9999-12-29T23:59:59.999Z') },
          timeZone: 'Europe/Paris',
          reminders: ['P1D', { at: now }, 'PT0S'],
          tags: ['a, b', '["c"]', '日本'],
          priority: 'high',
        }),
        completedAt: Date.parse('0001-01-02T00:00:00Z'),
        snoozedUntilAt: now + 1,
        version: 7,
        notifyAt: now + 2,
        firedUntilAt: now - 3,
      }
      const [task, plain] = await insert(store, full, draft())
      assert.ok(task && plain)
      assert.deepEqual(await tasks.findTask(store.db, me, task.id), { ...full, id: task.id })
      assert.deepEqual(await tasks.findTask(store.db, me, plain.id), plain)
    })

    test('another user finds, lists and locks nothing of mine', async (t) => {
      const store = await open(t)
      const [mine] = await insert(store, draft(), draft({}, other))
      assert.ok(mine)
      assert.equal(await tasks.findTask(store.db, other, mine.id), undefined)
      await assert.rejects(tasks.getTask(store.db, other, mine.id), { kind: 'not-found' })
      assert.equal((await tasks.listTasks(store.db, other, { after: 0, limit: 10, offset: 0 })).length, 1)
      assert.equal(await store.transact((tx) => tasks.lockTask(tx, other, mine.id)), undefined)
      assert.deepEqual(await tasks.findTask(store.db, me, mine.id), mine)
    })

    test('a list is in the order of ids, a page at a time', async (t) => {
      const store = await open(t)
      const inserted = await insert(store, ...Array.from({ length: 7 }, () => draft()))
      const ids = inserted.map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      )
      const page = async (after: number, limit: number, offset = 0) =>
        (await tasks.listTasks(store.db, me, { after, limit, offset })).map(({ id }) => id)
      assert.deepEqual(await page(0, 3), ids.slice(0, 3))
      assert.deepEqual(await page(ids[2] as number, 3), ids.slice(3, 6))
      assert.deepEqual(await page(0, 3, 5), ids.slice(5))
      assert.deepEqual(await page(0, 0), [])
    })

    test('a task is saved over the version it was made from, and over no other', async (t) => {
      const store = await open(t)
      const [task] = await insert(store, draft())
      assert.ok(task)
      const changed = { ...task, title: 'Changed', version: 2 }
      await store.transact((tx) => tasks.saveTasks(tx, [{ before: task, after: changed }]))
      await assert.rejects(
        store.transact((tx) =>
          tasks.saveTasks(tx, [{ before: task, after: { ...task, title: 'Too late', version: 2 } }]),
        ),
        { name: 'Problem', kind: 'stale' },
      )
      assert.deepEqual(await tasks.findTask(store.db, me, task.id), changed)
    })

    test('saving a task as it is already counts as saved', async (t) => {
      const store = await open(t)
      const [task] = await insert(store, draft())
      assert.ok(task)
      await store.transact((tx) => tasks.saveTasks(tx, [{ before: task, after: task }]))
      assert.deepEqual(await tasks.findTask(store.db, me, task.id), task)
    })

    test('a uid and a key are unique for their user, on insert and on save', async (t) => {
      const store = await open(t)
      const [first, second] = await insert(store, draft({ uid: 'u', key: 'k' }), draft({ key: 'l' }))
      assert.ok(first && second)
      for (const again of [{ uid: 'u' }, { key: 'k' }])
        await assert.rejects(insert(store, draft(again)), { name: 'Problem', kind: 'conflict' })
      await assert.rejects(
        store.transact((tx) => tasks.saveTasks(tx, [{ before: second, after: { ...second, key: 'k' } }])),
        { name: 'Problem', kind: 'conflict' },
      )
      await insert(store, draft({ uid: 'u', key: 'k' }, other))
      assert.equal((await tasks.listTasks(store.db, me, { after: 0, limit: 10, offset: 0 })).length, 2)
    })

    test('keys differ by case, accent, width and trailing space; any number of tasks has none', async (t) => {
      const store = await open(t)
      const keys = ['key', 'KEY', 'kéy', 'ke\u0301y', 'key ', ' key', 'ｋｅｙ', 'ss', 'ß', '🎉', '🎊']
      const inserted = await insert(store, ...keys.map((key) => draft({ key })), draft(), draft())
      assert.deepEqual(
        inserted.map(({ key }) => key),
        [...keys, null, null],
      )
    })

    test('the number of a deleted task is not given again', async (t) => {
      const database = await fresh(t)
      let store = await database.open()
      const [, last] = await insert(store, draft(), draft())
      assert.ok(last)
      await store.transact((tx) => moveToTrash(tx, [last.id], 'batch', now))
      const [next] = await insert(store, draft())
      assert.ok(next && next.id > last.id)
      await store.transact((tx) => moveToTrash(tx, [next.id], 'batch', now))
      await store.transact((tx) => purgeOldTrash(tx, now, 10))
      await store[Symbol.asyncDispose]()
      store = await database.open()
      const [afterRestart] = await insert(store, draft())
      assert.ok(afterRestart && afterRestart.id > next.id)
      await store[Symbol.asyncDispose]()
    })

    test('many are found by their ids at once', async (t) => {
      const store = await open(t)
      const inserted = await insert(store, ...Array.from({ length: 1_500 }, () => draft()))
      const found = await tasks.tasksByIds(store.db, [...inserted.map(({ id }) => id), 999_999])
      // In what order they come is the database's to say.
      assert.deepEqual(new Map(found), new Map(inserted.map((task) => [task.id, task])))
      assert.equal((await tasks.tasksByIds(store.db, [])).size, 0)
    })
  })

  describe(`${name}: alarms`, () => {
    const armed = (notifyAt: number | null, userId = me): NewTask => ({ ...draft({}, userId), notifyAt })

    test('the next alarm is the earliest of all users', async (t) => {
      const store = await open(t)
      assert.equal(await tasks.nextAlarmAt(store.db), null)
      await insert(store, armed(null))
      assert.equal(await tasks.nextAlarmAt(store.db), null)
      await insert(store, armed(now + 5), armed(now - 5, other), armed(now))
      assert.equal(await tasks.nextAlarmAt(store.db), now - 5)
    })

    test('due are those whose alarm has come, the longest due first, as many as asked for', async (t) => {
      const store = await open(t)
      await insert(store, armed(now), armed(now + 1), armed(now - 9, other), armed(null), armed(now - 3))
      const due = (limit: number) => store.transact((tx) => tasks.dueTasks(tx, now, limit))
      assert.deepEqual(
        (await due(10)).map(({ notifyAt }) => notifyAt),
        [now - 9, now - 3, now],
      )
      assert.deepEqual(
        (await due(2)).map(({ notifyAt }) => notifyAt),
        [now - 9, now - 3],
      )
    })

    test('an alarm is moved only from where it was seen', async (t) => {
      const store = await open(t)
      const [a, b, c] = await insert(store, armed(now), armed(now), armed(now))
      assert.ok(a && b && c)
      await store.transact((tx) =>
        tasks.moveAlarms(tx, [
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

    test('come by expiry to be computed anew, a bounded number, and their alarms are set whatever they were', async (t) => {
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

  const notification = (
    taskId: number,
    more: Partial<Parameters<typeof notifications.insertNotifications>[1][number]> = {},
  ) => ({
    userId: me,
    taskId,
    kind: 'expiring' as const,
    reminder: 'PT15M',
    expiryAt: now + hourMs,
    dueAt: now,
    firedAt: now + 3,
    timing: 'on_time' as const,
    latenessMs: 3,
    ...more,
  })
  const fire = (store: Store, ...fired: ReturnType<typeof notification>[]) =>
    store.transact((tx) => notifications.insertNotifications(tx, fired))

  describe(`${name}: notifications`, () => {
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

    test('of one task, expiry and instant there is one notification: a second is left out, and those beside it are written', async (t) => {
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

    test('until when a task has fired is asked by its expiry, of one and of many alike', async (t) => {
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

  describe(`${name}: deliveries`, () => {
    const leaseMs = 30_000
    const declared = [
      { ...defaultChannelSettings, name: 'console', kind: 'console', source: 'built-in' as const },
      { ...defaultChannelSettings, name: 'hook', kind: 'webhook', source: 'config' as const },
    ]

    /** Two channels, a notification, and a delivery of it on each: claimed on the first, due on the second. */
    async function fired(t: TestContext) {
      const store = await open(t)
      const { present } = await store.transact((tx) => recordChannels(tx, me, declared, now))
      const [one] = await fire(store, notification(1))
      const [first, second] = present
      assert.ok(one && first && second)
      const [claimedId, dueId] = ['claimed', 'due']
      await store.transact((tx) =>
        deliveries.insertDeliveries(
          tx,
          [
            { id: claimedId, channelId: first.id, notification: one, attempt: 1, nextAt: now + leaseMs },
            { id: dueId, channelId: second.id, notification: one, attempt: 0, nextAt: now },
          ],
          now,
        ),
      )
      const claim = (channelId: number, at: number, limit = 10) =>
        store.transact((tx) => claims.claimDue(tx, { id: channelId, isGrouping: false }, at, leaseMs, limit))
      const stored = async () => {
        const all = [...(await deliveries.deliveriesOf(store.db, [one.id])).values()].flat()
        return new Map(all.map((delivery) => [delivery.id, delivery]))
      }
      const held = {
        id: claimedId,
        channelId: first.id,
        attempt: 1,
        backoffFrom: 0,
        tryingSinceAt: null,
        dueAt: now,
        groupId: null,
        repeats: 0,
        leaseUntil: now + leaseMs,
        notification: one,
      }
      return { store, first, second, notification: one, claimedId, dueId, claim, stored, held }
    }

    const whenIdle = ({ transact }: Store, claim: Claim, more: Partial<DeliveryResult> = {}) =>
      transact((tx) =>
        claims.recordResults(
          tx,
          [{ claim, state: 'sent', nextAt: null, error: null, latencyMs: 12, ...more }],
          now + 12,
        ),
      )

    test('one that was written as claimed is nobody else’s before its lease ends; one without is due', async (t) => {
      const { store, first, second, notification: one, claim, claimedId, dueId } = await fired(t)
      assert.equal((await nextDue(store.db)).get(first.id)?.at, now + leaseMs)
      assert.equal((await nextDue(store.db)).get(second.id)?.at, now)
      assert.equal((await nextDue(store.db)).size, 2)
      assert.deepEqual(await claim(first.id, now + leaseMs - 1), [])
      const leaseUntil = now + leaseMs
      assert.deepEqual(await claim(second.id, now), [
        {
          id: dueId,
          channelId: second.id,
          attempt: 1,
          backoffFrom: 0,
          tryingSinceAt: null,
          dueAt: now,
          groupId: null,
          repeats: 0,
          leaseUntil,
          notification: one,
        },
      ])
      assert.deepEqual(await claim(second.id, now), [], 'claimed once')
      assert.deepEqual(await claim(first.id, leaseUntil), [
        {
          id: claimedId,
          channelId: first.id,
          attempt: 2,
          backoffFrom: 0,
          tryingSinceAt: null,
          dueAt: leaseUntil,
          groupId: null,
          repeats: 0,
          leaseUntil: leaseUntil + leaseMs,
          notification: one,
        },
      ])
    })

    test('claimed are the longest due, as many as asked for', async (t) => {
      const { store, second, claim } = await fired(t)
      const more = await fire(store, notification(2), notification(3), notification(4))
      await store.transact((tx) =>
        deliveries.insertDeliveries(
          tx,
          more.map((one, i) => ({
            id: `m${i}`,
            channelId: second.id,
            notification: one,
            attempt: 0,
            nextAt: now - 10 + i,
          })),
          now,
        ),
      )
      assert.deepEqual(
        (await claim(second.id, now, 2)).map(({ id }) => id),
        ['m0', 'm1'],
      )
      assert.deepEqual(
        (await claim(second.id, now)).map(({ id }) => id),
        ['m2', 'due'],
      )
    })

    test('how an attempt ended is written down once, by whoever holds the claim', async (t) => {
      const { store, first, claim, claimedId, stored, held } = await fired(t)
      const [taken] = await claim(first.id, now + leaseMs)
      assert.ok(taken)
      assert.equal(await whenIdle(store, held), 0, 'the first claim ran out')
      assert.equal((await stored()).get(claimedId)?.state, 'pending')
      const nextAt = now + 5_000
      assert.equal(await whenIdle(store, taken, { state: 'pending', nextAt, error: '503' }), 1)
      const expected = { state: 'pending', attempts: 2, nextAt, error: '503', latencyMs: 12 }
      assert.deepEqual((await stored()).get(claimedId), {
        ...expected,
        id: claimedId,
        notificationId: held.notification.id,
        channelId: first.id,
      })
      const [again] = await claim(first.id, nextAt)
      assert.equal(again?.attempt, 3)
      assert.equal(await whenIdle(store, again as Claim), 1)
      assert.deepEqual(await claim(first.id, now + 100 * hourMs), [], 'sent is settled')
    })

    test('writing the same ending twice changes nothing: the answer to the first may have been lost', async (t) => {
      const { store, stored, held } = await fired(t)
      await whenIdle(store, held)
      const once = await stored()
      await whenIdle(store, held)
      assert.deepEqual(await stored(), once)
    })

    test('a claim that is given back is due at once, and counts as no attempt', async (t) => {
      const { store, first, claim, claimedId, stored, held } = await fired(t)
      await store.transact((tx) => claims.releaseClaims(tx, [held]))
      assert.deepEqual(
        [(await stored()).get(claimedId)?.attempts, (await stored()).get(claimedId)?.nextAt],
        [0, now],
        'and stands where it stood: before what became due later',
      )
      const [again] = await claim(first.id, now + 1)
      assert.equal(again?.attempt, 1)
      const [second] = await claim(first.id, now + 1 + leaseMs)
      assert.ok(again && second)
      await store.transact((tx) => claims.releaseClaims(tx, [again]))
      assert.equal((await stored()).get(claimedId)?.attempts, 2, 'only by whoever holds it')
    })

    test('a process that is alone frees every claim; what waits for a retry goes on waiting', async (t) => {
      const { store, first, second, claim } = await fired(t)
      const [due] = await claim(second.id, now)
      assert.ok(due)
      await whenIdle(store, due, { state: 'pending', nextAt: now + hourMs, error: '503' })
      assert.equal(await store.transact((tx) => claims.releaseAllClaims(tx, now + 1)), 1)
      assert.deepEqual(
        (await claim(first.id, now + 1)).map(({ attempt }) => attempt),
        [2],
      )
      assert.equal((await nextDue(store.db)).get(second.id)?.at, now + hourMs)
    })

    test('what was dropped is revived for its task and expiry, and nothing else is', async (t) => {
      const { store, second, claim, claimedId, dueId, stored, held } = await fired(t)
      const [due] = await claim(second.id, now)
      assert.ok(due)
      await whenIdle(store, held)
      await whenIdle(store, due, { state: 'cancelled', error: 'the task was completed', latencyMs: null })
      const revive =
        (...ids: number[]) =>
        (expiryAt: number) =>
          store.transact((tx) =>
            deliveries.reviveCancelled(
              tx,
              ids.map((id) => ({ id, expiryAt })),
              now + 9,
            ),
          )
      assert.equal(await revive(2)(now + hourMs), 0)
      assert.equal(await revive(1)(now), 0)
      assert.equal(await revive(1, 2)(now + hourMs), 1)
      const [sent, revived] = [(await stored()).get(claimedId), (await stored()).get(dueId)]
      assert.equal(sent?.state, 'sent')
      assert.deepEqual([revived?.state, revived?.nextAt, revived?.error], ['pending', now + 9, null])
    })

    test('what waits for a channel that is gone is dropped with the reason, and is not revived', async (t) => {
      const { store, first, second, dueId, stored, held } = await fired(t)
      await whenIdle(store, held)
      const drop = (id: number) => store.transact((tx) => deliveries.cancelForChannel(tx, id, 'gone', now + 1))
      await store.transact((tx) => recordChannels(tx, me, declared.slice(0, 1), now + 1))
      assert.equal(await drop(second.id), 1)
      assert.equal(await drop(first.id), 0, 'what was sent stays sent')
      const cancelled = (await stored()).get(dueId)
      assert.deepEqual([cancelled?.state, cancelled?.nextAt, cancelled?.error], ['cancelled', null, 'gone'])
      assert.equal((await nextDue(store.db)).get(second.id), undefined)
      const revived = await store.transact((tx) =>
        deliveries.reviveCancelled(tx, [{ id: 1, expiryAt: now + hourMs }], now + 2),
      )
      assert.equal(revived, 0, 'nobody would send it')
    })

    test('the deliveries of many notifications come by notification, in the order of the channels', async (t) => {
      const { store, notification: one } = await fired(t)
      const found = await deliveries.deliveriesOf(store.db, [one.id, 999])
      assert.deepEqual([...found.keys()], [one.id])
      assert.deepEqual(
        found.get(one.id)?.map(({ id }) => id),
        ['claimed', 'due'],
      )
      assert.equal((await deliveries.deliveriesOf(store.db, [])).size, 0)
    })
  })

  describe(`${name}: channels and users`, () => {
    test('a channel keeps its number over other kinds, over being away, and over another order', async (t) => {
      const store = await open(t)
      const record = (...declared: [name: string, kind: string][]) =>
        store.transact((tx) =>
          recordChannels(
            tx,
            me,
            declared.map(([name, kind]) => ({ ...defaultChannelSettings, name, kind, source: 'config' })),
            now,
          ),
        )
      const { present } = await record(['a', 'webhook'], ['b', 'webhook'])
      const [a, b] = present
      assert.ok(a && b && a.id !== b.id)
      const changed = await record(['b', 'email'])
      assert.deepEqual(changed.present, [{ ...b, kind: 'email' }])
      assert.deepEqual(
        changed.removed.map(({ id }) => id),
        [a.id],
      )
      const back = await record(['b', 'email'], ['a', 'webhook'])
      assert.deepEqual(
        back.present.toSorted((x, y) => x.id - y.id),
        [a, { ...b, kind: 'email' }],
      )
      assert.deepEqual(back.removed, [])
      assert.deepEqual(
        await channelKinds(store.db, me),
        new Map([
          [a.id, 'webhook'],
          [b.id, 'email'],
        ]),
      )
      const theirs = await store.transact((tx) =>
        recordChannels(tx, other, [{ ...defaultChannelSettings, name: 'a', kind: 'webhook', source: 'config' }], now),
      )
      assert.notEqual(theirs.present[0]?.id, a.id)
    })

    const person = { email: null, role: 'member', password: null, identity: null, defaults } as const
    const stale = ({ db }: Store) => recompute.findStaleUsers(db)
    const defaultsOf = async ({ db }: Store, id: number) => (await users.getUser(db, id)).defaults

    test('what alarms are computed with is a user’s own choice, and the server’s for the rest', async (t) => {
      const empty = await open(t)
      await empty.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      assert.deepEqual(await stale(empty), [], 'a new database has no alarms that could be stale')

      const store = await open(t)
      await store.transact((tx) => tasks.insertTask(tx, draft({}, users.builtInUserId)))
      await store.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      const other = await store.transact((tx) => users.insertUser(tx, { ...person, name: 'ada' }, now))
      assert.deepEqual(await stale(store), [users.builtInUserId], 'tasks of the original were taken over')
      const sinceOf = async (id: number) => (await users.getUser(store.db, id)).staleSince ?? assert.fail('is fresh')
      const markFresh = (id: number, since: number) => store.transact((tx) => recompute.markFresh(tx, id, since))
      assert.equal(await markFresh(users.builtInUserId, await sinceOf(users.builtInUserId)), true)

      const own = { reminders: ['P1D', 'PT0S'], timeZone: null }
      const save = (wanted: users.OwnDefaults) =>
        store.transact((tx) => users.saveOwnDefaults(tx, other, wanted, defaults, now))
      assert.equal(await save({ ...own, reminders: ['P2D'] }), true)
      const earlier = await sinceOf(other)
      assert.equal(await save(own), true)
      assert.deepEqual(await defaultsOf(store, other), { reminders: ['P1D', 'PT0S'], timeZone: defaults.timeZone })
      assert.deepEqual(await stale(store), [other])
      assert.equal(await markFresh(other, earlier), false, 'of the same millisecond, and not the last change')
      assert.deepEqual(await stale(store), [other])
      assert.equal(await markFresh(other, await sinceOf(other)), true)
      assert.deepEqual(await stale(store), [])
      assert.equal(await save(own), false, 'the same again')

      const servers = { reminders: ['PT1H'], timeZone: 'Europe/Paris' }
      await store.transact((tx) => users.adoptServerDefaults(tx, servers, now))
      assert.deepEqual(await defaultsOf(store, users.builtInUserId), servers)
      assert.deepEqual(await defaultsOf(store, other), { reminders: ['P1D', 'PT0S'], timeZone: 'Europe/Paris' })
      assert.deepEqual(await stale(store), [users.builtInUserId, other])
    })

    test('how far a walk has come is of one change of one user, and goes with the user', async (t) => {
      const store = await open(t)
      await store.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      const ada = await store.transact((tx) => users.insertUser(tx, { ...person, name: 'ada' }, now))
      const lock = () => store.transact((tx) => recompute.lockProgress(tx, ada, now))
      assert.equal(await lock(), undefined, 'nothing is stale')
      const save = (hours: number) =>
        store.transact((tx) =>
          users.saveOwnDefaults(tx, ada, { reminders: [`PT${hours}H`], timeZone: null }, defaults, now),
        )
      await save(1)
      const begin = { staleSince: now, begunAt: now, isPast: false, expiryAt: now, taskId: 0, tasks: 0 }
      assert.deepEqual(await lock(), begin)
      const place = { ...begin, isPast: true, expiryAt: -5, taskId: 3, tasks: 1_000 }
      await store.transact((tx) => recompute.saveProgress(tx, ada, place))
      assert.deepEqual([await lock(), await recompute.findProgress(store.db, ada, now)], [place, place])
      await save(2)
      assert.deepEqual(await lock(), { ...begin, staleSince: now + 1 }, 'of another change')
      assert.equal(await recompute.findProgress(store.db, ada, now + 1), undefined)
      await store.transact((tx) => users.deleteUserRow(tx, ada))
      assert.equal(await recompute.findProgress(store.db, ada, now), undefined)
    })

    test('users have numbers of their own, names of their own, and none is given twice', async (t) => {
      const store = await open(t)
      await store.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      const add = (name: string, email: string | null = null) =>
        store.transact((tx) => users.insertUser(tx, { ...person, name, email }, now))
      const [ada, bob] = [await add('ada', 'ada@example.org'), await add('bob')]
      assert.equal(new Set([users.builtInUserId, ada, bob]).size, 3)
      await assert.rejects(add('ada'), /the name «ada»/)
      await assert.rejects(add('eve', 'ada@example.org'), /the email «ada@example.org»/)
      await store.transact((tx) => users.deleteUserRow(tx, bob))
      assert.ok((await add('bob')) > bob)
    })

    test('whoever writes by a user’s settings is waited for by who changes them', async (t) => {
      const store = await open(t)
      await store.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      const id = users.builtInUserId
      const own = { reminders: ['PT1H'], timeZone: null }
      let change: Promise<unknown> | undefined
      await store.transact(async (tx) => {
        assert.deepEqual(await users.defaultsInTransaction(tx, id), defaults)
        change = store.transact(async (tx) => {
          await users.lockUser(tx, id)
          await users.saveOwnDefaults(tx, id, own, defaults, now)
        })
        // As long as this runs, what it computed by is true.
        assert.deepEqual(await users.defaultsInTransaction(tx, id), defaults)
        assert.deepEqual((await users.getUser(tx, id)).defaults, defaults)
      })
      await change
      assert.deepEqual((await defaultsOf(store, id)).reminders, ['PT1H'])
      await store.transact(async (tx) =>
        assert.deepEqual((await users.defaultsInTransaction(tx, id)).reminders, ['PT1H']),
      )
    })

    test('nothing can be written for a user who is being deleted', async (t) => {
      const store = await open(t)
      await store.transact((tx) => users.adoptServerDefaults(tx, defaults, now))
      const ada = await store.transact((tx) => users.insertUser(tx, { ...person, name: 'ada' }, now))
      await store.transact((tx) => users.saveUser(tx, ada, { removedAt: now }))
      await assert.rejects(
        store.transact((tx) => users.defaultsInTransaction(tx, ada)),
        /no longer exists/,
      )
    })
  })

  describe(`${name}: transactions`, () => {
    /** A store, and the text of every statement from here on, with what the test adds. */
    async function watched(t: TestContext, onCommit: () => Promise<void> | void = () => {}) {
      const executed: string[] = []
      const store = await open(t, {
        wrap: (dialect) =>
          wrapConnections(dialect, async (text, run) => {
            executed.push(text)
            if (text === 'commit') await onCommit()
            const result = await run()
            if (text === 'commit') executed.push('committed')
            return result
          }),
      })
      executed.length = 0
      return { store, executed }
    }
    const titles = async ({ db }: Store) =>
      (await tasks.listTasks(db, me, { after: 0, limit: 1_000, offset: 0 })).map(({ title }) => title)

    test('wishes that come together share one transaction; one that throws leaves no trace of itself', async (t) => {
      const { store, executed } = await watched(t)
      const results = await Promise.allSettled([
        insert(store, draft({ title: 'first' })),
        store.transact(async (tx) => {
          await tasks.insertTask(tx, draft({ title: 'regretted' }))
          throw new Problem('invalid', 'on second thoughts')
        }),
        insert(store, draft({ title: 'third', key: 'k' })),
        insert(store, draft({ title: 'taken', key: 'k' })),
        insert(store, draft({ title: 'last' })),
      ])
      assert.deepEqual(
        results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.kind)),
        ['done', 'invalid', 'done', 'conflict', 'done'],
      )
      // They are run together without savepoints first, and again with them once one has thrown.
      assert.equal(executed.filter((text) => text === store.dialect.begin).length, 2)
      assert.equal(executed.filter((text) => text === 'commit').length, 1)
      assert.deepEqual(await titles(store), ['first', 'third', 'last'])
    })

    test('one that is refused before it has changed anything costs those beside it nothing, where that can be known', async (t) => {
      const { store, executed } = await watched(t)
      let runs = 0
      const results = await Promise.allSettled([
        insert(store, draft({ title: 'first' })),
        store.transact(async (tx) => {
          runs++
          recordChange(tx, { userId: me, taskId: 1, kind: 'deleted' })
          throw new Problem('not-found', 'There is no task 99.')
        }),
        insert(store, draft({ title: 'last' })),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      const isKnown = store.dialect.rowsChanged !== undefined
      assert.deepEqual([runs, executed.includes('savepoint unit_of_work')], isKnown ? [1, false] : [2, true])
      assert.deepEqual(await titles(store), ['first', 'last'])
      assert.deepEqual(await changesSince(store.db, me, 0, 10), [], 'nor is anything told that it was about to do')
    })

    test('what the database refuses is never taken for a wish that has changed nothing', async (t) => {
      const { store } = await watched(t)
      const results = await Promise.allSettled([
        insert(store, draft({ title: 'first' })),
        store.transact(async (tx) => {
          // As SQLite does by itself where it has no room, or no memory: whatever came before is gone.
          await sql`rollback`.execute(tx)
          throw new Error('no room')
        }),
        insert(store, draft({ title: 'last' })),
      ])
      const done = results.filter(({ status }) => status === 'fulfilled').length
      assert.equal((await titles(store)).length, done, 'none is told that it was done, and was not')
    })

    test('what is wrong with one wish is told to no other, however long all of them have waited for a lock', async (t) => {
      const clock = fakeClock(now)
      const store = await open(t, { clock })
      let tries = 0
      const held = Object.assign(new Error('held'), { code: '40P01', errno: 1213, errcode: 5 })
      const good = store.transact(async (tx) => {
        // A lock that somebody holds for almost as long as it is waited for.
        if (++tries === 1) {
          clock.set(now + 1_400)
          throw held
        }
        clock.set(now + 1_600)
        return tasks.insertTask(tx, draft())
      })
      const wrong = store.transact(async () => {
        throw new Problem('conflict', 'of this one alone')
      })
      const [done, refused] = await Promise.allSettled([good, wrong])
      assert.equal(done.status, 'fulfilled', `${(done as PromiseRejectedResult).reason}`)
      assert.equal((await tasks.listTasks(store.db, me, { after: 0, limit: 10, offset: 0 })).length, 1)
      assert.equal((refused as PromiseRejectedResult).reason?.message, 'of this one alone')
    })

    test('a wish that is alone and throws is rolled back', async (t) => {
      const { store, executed } = await watched(t)
      const failing = store.transact(async (tx) => {
        await tasks.insertTask(tx, draft())
        throw new Error('on second thoughts')
      })
      await assert.rejects(failing, { message: 'on second thoughts' })
      assert.equal(executed.at(-1), 'rollback')
      assert.deepEqual(await titles(store), [])
      await insert(store, draft({ title: 'next' }))
      assert.deepEqual(await titles(store), ['next'])
    })

    test('nothing is answered before the commit has been', async (t) => {
      const { store, executed } = await watched(t, async () => {
        for (let i = 0; i < 5; i++) await turn() // an answer that leaves early has the time to
      })
      const request = async (title: string) => {
        await insert(store, draft({ title }))
        executed.push(`answered ${title}`)
      }
      await Promise.all([request('a'), request('b')])
      assert.deepEqual(executed.slice(-4), ['commit', 'committed', 'answered a', 'answered b'])
      await assert.rejects(
        Promise.all([
          request('c'),
          store
            .transact(() => Promise.reject(new Error('no')))
            .catch((error) => {
              executed.push('answered no')
              throw error
            }),
        ]),
      )
      assert.ok(executed.lastIndexOf('answered no') > executed.lastIndexOf('committed'), 'a refusal neither')
    })

    test('when the commit fails nobody is told that it was done, and it was not', async (t) => {
      let fails = false
      const { store } = await watched(t, () => {
        if (fails) throw new Error('no room')
      })
      fails = true
      const both = await Promise.allSettled([insert(store, draft()), insert(store, draft())])
      assert.deepEqual(
        both.map(({ status }) => status),
        ['rejected', 'rejected'],
      )
      assert.deepEqual(await titles(store), [])
      fails = false
      await insert(store, draft({ title: 'next' }))
      assert.deepEqual(await titles(store), ['next'])
    })

    test('all in a transaction are at one time, whatever the clock does meanwhile', async (t) => {
      let time = now
      const store = await open(t, { clock: { ...fakeClock(now), now: () => time++ } })
      const request = () => store.transact(async (_, at) => at)
      const times = await Promise.all([request(), request(), request()])
      assert.equal(new Set(times).size, 1)
      assert.ok((await request()) > (times[0] as number), 'and the next is later')
    })

    test('a thousand wishes at once are all done, each once, and where one transaction runs at a time in their order', async (t) => {
      const { store, executed } = await watched(t)
      const expected = Array.from({ length: 1_000 }, (_, i) => `task ${i}`)
      await Promise.all(expected.map((title) => insert(store, draft({ title }))))
      const done = await titles(store)
      if (store.dialect.maxTransactions === 1) assert.deepEqual(done, expected)
      assert.deepEqual(done.toSorted(), expected.toSorted())
      const commits = executed.filter((text) => text === 'commit').length
      assert.ok(commits >= 2 && commits <= 20, `${commits} commits`)
    })
  })

  describe(`${name}: migrations`, () => {
    type Applied = { kysely_migration: { name: string; timestamp: string } }
    const applied = ({ db }: Store) =>
      sql<Applied['kysely_migration']>`select name, timestamp from kysely_migration order by name`.execute(db)

    test('they are applied once', async (t) => {
      const database = await fresh(t)
      const first = await database.open()
      const { rows } = await applied(first)
      assert.ok(rows.length >= 1)
      await insert(first, draft({ title: 'kept' }))
      await first[Symbol.asyncDispose]()
      const second = await database.open()
      assert.deepEqual((await applied(second)).rows, rows)
      assert.equal((await tasks.listTasks(second.db, me, { after: 0, limit: 10, offset: 0 }))[0]?.title, 'kept')
      await second[Symbol.asyncDispose]()
    })

    test('a database that a newer version has used is refused, in words, and left as it was', async (t) => {
      const database = await fresh(t)
      const store = await database.open()
      await sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2099-01-01')`.execute(store.db)
      await store[Symbol.asyncDispose]()
      const executed: string[] = []
      const wrap = (dialect: KyselyDialect) =>
        wrapConnections(dialect, (text, run) => {
          executed.push(text)
          return run()
        })
      await assert.rejects(database.open({ wrap }), (error: Error) => {
        assert.ok(error instanceof Problem)
        assert.match(error.message, /used by a newer Duebell: it has 9999-future, .* Nothing was changed/)
        return true
      })
      assert.deepEqual(
        executed.filter((text) => !/^\s*(select|with|show)/i.test(text)),
        [],
        'it was only read',
      )
    })

    for (const when of ['before', 'after'] as const)
      test(`killed ${when} any of their statements, they are done by the next start`, async (t) => {
        const database = await fresh(t)
        const sample = parseSample(process.env.CRASH_SAMPLE)
        let kills = 0
        for (const n of statementsOf(sample)) {
          await database.empty()
          const failing = failingDatabase()
          failing.dieAt(n, when)
          const opened = await database.open({ wrap: failing.wrap }).catch(() => undefined)
          await opened?.[Symbol.asyncDispose]()
          const store = await database.open()
          const [task] = await insert(store, draft({ expiry: { at: now } }))
          assert.ok(task)
          assert.deepEqual(await tasks.findTask(store.db, me, task.id), task)
          assert.equal((await fire(store, notification(task.id))).length, 1)
          await store[Symbol.asyncDispose]()
          if (failing.isFailed) {
            kills++
            continue
          }
          t.diagnostic(`killed at ${kills} statements, part ${sample.part} of ${sample.of}`)
          assert.ok(kills * sample.of > 5, 'it hardly ever died: what does this test?')
          return
        }
      })
  })
}
