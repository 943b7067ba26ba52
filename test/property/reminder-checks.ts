import assert from 'node:assert/strict'
import type { Message } from '#core/notification.ts'
import { nextReminder } from '#core/reminder.ts'
import { tasksByIds } from '#store/tasks.ts'
import type { failingDatabase } from '#support/failing-database.ts'
import type { TestApp } from '#support/test-app.ts'
import type { ModelNotification, ReminderModel } from './reminder-model.ts'
import { dateText, type Reminders } from './reminder-times.ts'

/** The server is compared with the model. */

export interface Life {
  readonly app: TestApp
  /** ms of a minute of this life. */
  readonly at: (minute: number) => number
  /** The date in UTC on which it began, in days since 1970. */
  readonly firstDay: number
  readonly arrived: Message[]
  /** How many of them have been checked. */
  checked: number
  crashes: number
  database: ReturnType<typeof failingDatabase>
  restart(defaults: Reminders): Promise<void>
}

/** Holds after every step. */
export async function compare(model: ReminderModel, life: Life) {
  const { app, arrived, crashes } = life
  for (; life.checked < arrived.length; life.checked++) {
    const { notification, sentAt } = arrived[life.checked] as Message
    assert.ok(sentAt >= notification.dueAt, `${keyOf(notification)} came at ${new Date(sentAt).toISOString()}`)
    // Nothing is underway when a step begins, and time does not pass while a request is answered.
    assert.ok(model.isTrue(notification), `${keyOf(notification)} is not true any more`)
  }
  const { tasks } = await app.client.listTasks()
  const ids = tasks.map(({ id }) => id)
  assert.deepEqual(
    ids,
    [...model.tasks.keys()].sort((a, b) => a - b),
  )
  const stored = await tasksByIds(app.app.store.db, ids)
  const { zone: timeZone, ...days } = model.settings
  const defaults = { reminders: model.defaults, ...days, timeZone }
  for (const task of model.tasks.values()) {
    const row = stored.get(task.id)
    assert.ok(row)
    assert.equal(row.expiryAt, task.expiryAt, `the expiry of task ${task.id}`)
    assert.equal(row.expiryDate, task.day === null ? null : dateText(task.day), `the day of task ${task.id}`)
    assert.equal(row.nextId, task.nextId, `the next task of task ${task.id}`)
    assert.equal(row.notifyAt, model.undelivered(task)[0] ?? null, `the alarm of task ${task.id}`)
    assert.equal(row.notifyAt, nextReminder(row, defaults), `the alarm of task ${task.id} does not follow from it`)
  }

  const count = new Map<string, number>()
  for (const { notification } of arrived) {
    const key = keyOf(notification)
    count.set(key, (count.get(key) ?? 0) + 1)
  }
  const expected = new Map<string, number>()
  for (const key of model.notifications.flatMap(keysOf)) expected.set(key, (expected.get(key) ?? 0) + 1)
  for (const [key, times] of count) {
    const notifications = expected.get(key) ?? 0
    assert.ok(notifications > 0, `${key} should not have fired`)
    assert.ok(times <= notifications * (1 + crashes), `${key} arrived ${times} times over ${crashes} crashes`)
  }
  for (const notification of model.notifications)
    if (notification.mustHaveArrived)
      assert.ok(
        keysOf(notification).some((key) => count.has(key)),
        `${keyOf(notification)} has not arrived`,
      )
}

/** Holds when the channel has been up for longer than any back-off. */
export async function compareAtTheEnd(model: ReminderModel, life: Life) {
  const { app, arrived } = life
  const { notifications } = await app.client.listNotifications({ limit: 1_000 })
  const ids = new Set([...model.notifications.map(({ taskId }) => taskId), ...model.tasks.keys()])
  const own = notifications.filter(({ task_id }) => ids.has(task_id))
  const keys = own.map(({ task_id, expiry_dt, due_dt }) =>
    keyOf({ taskId: task_id, expiryAt: Date.parse(expiry_dt), dueAt: Date.parse(due_dt) }),
  )
  assert.deepEqual(keys.sort(), model.notifications.map(keyOf).sort())
  for (const { id, task_id, expiry_dt, deliveries } of own) {
    const times = arrived.filter(({ notification }) => notification.id === id)
    const delivery = deliveries.find(({ kind }) => kind === 'recording')
    assert.ok(delivery)
    const isTrue = model.isTrue({ taskId: task_id, expiryAt: Date.parse(expiry_dt) })
    assert.ok(['sent', 'cancelled'].includes(delivery.state), `notification ${id} is ${delivery.state}`)
    assert.equal(
      delivery.state === 'sent',
      times.length > 0,
      `notification ${id} is ${delivery.state}, came ${times.length}x`,
    )
    if (isTrue) assert.equal(delivery.state, 'sent', `notification ${id} of task ${task_id} has not arrived`)
    for (const { deliveryId } of times) assert.equal(deliveryId, delivery.id)
  }
}

const keyOf = ({ taskId, expiryAt, dueAt }: { taskId: number; expiryAt: number; dueAt: number }) =>
  `task ${taskId}, expiry ${new Date(expiryAt).toISOString()}, due ${new Date(dueAt).toISOString()}`

/** Under every expiry that it had: a delivery names the one of its time. */
const keysOf = (one: ModelNotification) => [
  ...new Set([one.expiryAt, ...one.earlierExpiries].map((expiryAt) => keyOf({ ...one, expiryAt }))),
]
