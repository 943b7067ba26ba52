import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { TaskWire } from '#api/schemas/task.ts'
import { type Defaults, nextReminder } from '#core/reminder.ts'
import { tasksByIds } from '#store/tasks.ts'
import type { TestApp } from '#support/test-app.ts'

/** A notification that was delivered, and its message. */
export interface Arrival {
  readonly notificationId: number
  readonly deliveryId: string
  /** The id of the message, and those of the others in it. */
  readonly together: readonly number[]
}

export const minuteMs = 60_000

/** The tasks of a series have one title, so a number distinguishes later ones. */
export const nameOf = ({ title, occurrence }: TaskWire) => ((occurrence ?? 1) > 1 ? `${title} ${occurrence}` : title)

export async function expectNothingLost(
  app: TestApp,
  answered: ReadonlyMap<string, TaskWire | 'deleted'>,
  touched: readonly string[],
) {
  const { tasks } = await app.client.listTasks()
  const stored = new Map(tasks.map((task) => [nameOf(task), task]))
  for (const [title, task] of answered) {
    if (touched.includes(title)) continue
    if (task === 'deleted') assert.equal(stored.get(title), undefined, `«${title}» was deleted and is back`)
    else assert.deepEqual(stored.get(title), task, `«${title}» is not as it was last answered`)
  }
  const before = (title: string) => (answered.get(title) === 'deleted' ? undefined : answered.get(title))
  const happened = touched.map((title) => !isDeepStrictEqual(stored.get(title), before(title)))
  assert.ok(new Set(happened).size <= 1, `a write of ${touched.join(', ')} happened by half`)

  const settings = await app.client.getSettings()
  const defaults: Defaults = {
    reminders: settings.default_reminders,
    dayReminders: settings.default_day_reminders,
    dayTime: settings.day_time,
    timeZone: settings.time_zone,
  }
  for (const task of (
    await tasksByIds(
      app.app.store.db,
      tasks.map(({ id }) => id),
    )
  ).values())
    assert.equal(task.notifyAt, nextReminder(task, defaults), `the alarm of «${task.title}» does not follow from it`)
}

export async function expectDelivered(
  app: TestApp,
  startAt: number,
  titles: ReadonlyMap<number, string>,
  arrived: readonly Arrival[],
  expected: readonly string[],
  crashes: number,
) {
  const { notifications } = await app.client.listNotifications({ limit: 100 })
  const minute = (time: string) => (Date.parse(time) - startAt) / minuteMs
  const actual: string[] = []
  for (const { id, task_id, due_dt, expiry_dt, deliveries } of notifications) {
    const title = titles.get(task_id)
    if (title === undefined) continue // from an earlier round
    for (const delivery of deliveries)
      assert.equal(delivery.next_attempt_dt, null, `a delivery of «${title}» over ${delivery.kind} is still open`)
    const delivery = deliveries.find(({ kind }) => kind === 'recording')
    actual.push(`${title} ${minute(due_dt)} ${minute(expiry_dt)} ${delivery?.state}`)
    const times = arrived.filter(({ notificationId }) => notificationId === id)
    if (delivery?.state === 'sent') assert.ok(times.length >= 1, `«${title}» is said to be sent, and has not arrived`)
    const messages = Map.groupBy(times, ({ deliveryId }) => deliveryId)
    assert.ok(
      times.length <= messages.size + crashes,
      `«${title}» arrived ${times.length} times over ${crashes} crashes`,
    )
    for (const [messageId, [first, ...others]] of messages) {
      if (first?.together.length === 1) assert.equal(messageId.replace(/-\d$/, ''), delivery?.id)
      for (const other of others)
        assert.deepEqual(other.together, first?.together, 'under one id nothing else is said a second time')
    }
    const repeats = [...messages.keys()].filter((messageId) => /^.{36}-\d$/.test(messageId)).length
    if (repeats > 0) actual[actual.length - 1] += ` +${repeats}`
  }
  assert.deepEqual(actual.sort(), expected.toSorted())
}
