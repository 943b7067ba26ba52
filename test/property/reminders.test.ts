import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Message } from '#core/notification.ts'
import { nextReminder } from '#core/reminder.ts'
import { tasksByIds } from '#store/tasks.ts'
import { failingDatabase } from '#support/failing-database.ts'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'
import { sizes } from '#test/sizes.ts'
import { type ModelTask, ReminderModel, type Reminders } from './reminder-model.ts'

/**
 * Random runs of a server against a model of firing. After each step the alarms and the delivered messages are compared; at the end every
 * notification. The model is exact, with two exceptions: of reminders that came due around a crash only the last must have fired by itself,
 * since their grouping depends on the moment; and the time of a delivery that a channel refused at first depends on the jitter of the
 * back-off, so it is expected at the end.
 * PROPERTY_RUNS sets the number of runs. A failure prints the seed and the shortest failing run.
 * It found a fault: after a change of default reminders while nothing was due, past reminders fired at the next edit.
 */
const runs = sizes.lives
const minuteMs = 60_000

interface Life {
  readonly app: TestApp
  /** The length of a minute of this run in ms. */
  readonly at: (minute: number) => number
  readonly arrived: Message[]
  /** The number of them that have been checked. */
  checked: number
  crashes: number
  database: ReturnType<typeof failingDatabase>
  restart(defaults: Reminders): Promise<void>
}

type Command = fc.AsyncCommand<ReminderModel, Life>

const expiry = fc.constantFrom(null, -30, 5, 40, 40.5, 100, 160, 400)
const reminders = fc.constantFrom<readonly (string | number)[] | null>(
  null,
  null,
  [],
  ['PT15M'],
  ['PT0S', 'PT5M', 'PT1H'],
  ['P1D', 'PT30M'],
  [50],
  [20, 'PT10M'],
)
const defaultReminders = fc.constantFrom<Reminders>(['PT15M'], ['PT30M', 'PT5M'], ['PT10M'])
/** The number is so small that most steps meet a task with a history. */
const maxTasks = 3
const which = fc.nat({ max: maxTasks - 1 })

const isoOrNull = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
const toWire = (reminders: Reminders | null) =>
  reminders?.map((reminder) => (typeof reminder === 'number' ? new Date(reminder).toISOString() : reminder)) ?? null

/** A step of a run; a failure prints its description. */
function command(name: string, run: (model: ReminderModel, life: Life) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, life) {
      await run(model, life)
      await life.app.clock.whenIdle()
      await compare(model, life)
    },
    toString: () => name,
  }
}

/** A step on one of the tasks, if there is any. */
function onTask(
  name: string,
  nth: number,
  run: (task: ModelTask, model: ReminderModel, life: Life) => Promise<void>,
): Command {
  return {
    ...command(`${name}, task ${nth}`, (model, life) => {
      const tasks = [...model.tasks.values()]
      return run(tasks[nth % tasks.length] as ModelTask, model, life)
    }),
    check: (model) => model.tasks.size > 0,
  }
}

const inMs = (life: Life, list: Reminders | null) =>
  list?.map((reminder) => (typeof reminder === 'number' ? life.at(reminder) : reminder)) ?? null

const create = fc.tuple(expiry, reminders).map(([minute, list]) => ({
  ...command(`create ${minute} ${JSON.stringify(list)}`, async (model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    const instants = inMs(life, list)
    const draft = { title: 'task', expiry_dt: isoOrNull(expiryAt), reminders: toWire(instants) }
    const { id } = await life.app.client.createTask(draft)
    model.create(id, expiryAt, instants)
  }),
  check: (model: ReminderModel) => model.tasks.size < maxTasks,
}))
const rename = which.map((nth) =>
  onTask('rename', nth, async ({ id }, model, { app }) => {
    await app.client.updateTask(id, { title: `task at ${model.now}` })
  }),
)
const move = fc.tuple(which, expiry).map(([nth, minute]) =>
  onTask(`move to ${minute}`, nth, async (task, model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    await life.app.client.updateTask(task.id, { expiry_dt: isoOrNull(expiryAt) })
    model.change(task, expiryAt, task.reminders)
  }),
)
const remind = fc.tuple(which, reminders).map(([nth, list]) =>
  onTask(`remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const instants = inMs(life, list)
    await life.app.client.updateTask(task.id, { reminders: toWire(instants) })
    model.change(task, task.expiryAt, instants)
  }),
)
const moveAndRemind = fc.tuple(which, expiry, reminders).map(([nth, minute, list]) =>
  onTask(`move to ${minute} and remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    const instants = inMs(life, list)
    const tasks = [{ id: task.id, expiry_dt: isoOrNull(expiryAt), reminders: toWire(instants) }]
    await life.app.client.updateTasks({ tasks })
    model.change(task, expiryAt, instants)
  }),
)
const complete = which.map((nth) =>
  onTask('complete', nth, async (task, model, { app }) => {
    await app.client.completeTask(task.id)
    model.complete(task)
  }),
)
const reopen = which.map((nth) =>
  onTask('reopen', nth, async (task, model, { app }) => {
    await app.client.reopenTask(task.id)
    model.reopen(task)
  }),
)
/** Away and back, with enough time for a check of pending deliveries: those cancelled on the way are true again. */
const detour = fc.tuple(which, fc.integer({ min: 1, max: 15 }), fc.boolean()).map(([nth, minutes, isMove]) =>
  onTask(`${isMove ? 'move' : 'complete'} and undo after ${minutes}`, nth, async (task, model, life) => {
    const { app, at } = life
    const { id, expiryAt, isDone } = task
    const away = at(10_000)
    if (isMove) {
      await app.client.updateTask(id, { expiry_dt: isoOrNull(away) })
      model.change(task, away, task.reminders)
    } else if (!isDone) {
      await app.client.completeTask(id)
      model.complete(task)
    }
    await app.clock.advance(minutes * minuteMs)
    model.advance(app.clock.now())
    await compare(model, life)
    if (isMove) {
      await app.client.updateTask(id, { expiry_dt: isoOrNull(expiryAt) })
      model.change(task, expiryAt, task.reminders)
    } else if (!isDone) {
      await app.client.reopenTask(id)
      model.reopen(task)
    }
  }),
)
const snooze = fc.tuple(which, fc.integer({ min: 1, max: 90 })).map(([nth, minutes]) =>
  onTask(`snooze for ${minutes}`, nth, async (task, model, { app }) => {
    const request = app.client.snoozeTask(task.id, { for: `PT${minutes}M` })
    if (task.isDone || task.expiryAt === null) return assert.rejects(request, { status: 409 })
    await request
    model.snooze(task, model.now + minutes * minuteMs)
  }),
)
const remove = which.map((nth) =>
  onTask('delete', nth, async (task, model, { app }) => {
    await app.client.deleteTask(task.id)
    model.tasks.delete(task.id)
  }),
)
const advance = fc.integer({ min: 1, max: 45 }).map((minutes) =>
  command(`advance ${minutes}`, async (model, { app }) => {
    await app.clock.advance(minutes * minuteMs)
    model.advance(app.clock.now())
  }),
)
const channel = fc.boolean().map((isUp) =>
  command(`channel ${isUp ? 'up' : 'down'}`, async (model) => {
    model.isChannelUp = isUp
  }),
)
const restart = fc.tuple(fc.nat({ max: 60 }), defaultReminders).map(([minutes, defaults]) =>
  command(`restart after ${minutes} with ${defaults}`, async (model, life) => {
    await life.app.stop()
    await life.app.clock.advance(minutes * minuteMs)
    await life.restart(defaults)
    model.comeBack(life.app.clock.now(), defaults)
  }),
)
const crash = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 })).map(([n, minutes]) =>
  command(`crash at statement ${n} within ${minutes}`, async (model, life) => {
    const { app, database } = life
    life.crashes++
    database.dieAt(n, n % 2 === 0 ? 'before' : 'after')
    await app.clock.advance(minutes * minuteMs).catch((error) => {
      if (!database.isFailed) throw error
    })
    database.die()
    await stopWithFakeClock(app.clock, app.stop(), database)
    await life.restart(model.defaults)
    await app.clock.whenIdle()
    await adopt(model, app)
  }),
)

/** After a crash the server decides which reminders fired alone, as long as the last of them fired. */
async function adopt(model: ReminderModel, app: TestApp) {
  model.now = app.clock.now()
  const { notifications } = await app.client.listNotifications({ limit: 1_000 })
  for (const task of model.tasks.values()) {
    const due = model.undelivered(task).filter((at) => at <= model.now)
    const fired = new Set(
      notifications
        .filter(({ task_id, expiry_dt }) => task_id === task.id && Date.parse(expiry_dt) === task.expiryAt)
        .map(({ due_dt }) => Date.parse(due_dt)),
    )
    if (due.length > 0) assert.ok(fired.has(due.at(-1) as number), `task ${task.id} has not fired after a crash`)
    for (const at of due) if (fired.has(at)) model.fire(task, at)
  }
}

/** True after every step. */
async function compare(model: ReminderModel, life: Life) {
  const { app, arrived, crashes } = life
  for (; life.checked < arrived.length; life.checked++) {
    const { notification, sentAt } = arrived[life.checked] as Message
    assert.ok(sentAt >= notification.dueAt, `${keyOf(notification)} came at ${new Date(sentAt).toISOString()}`)
    // Nothing is in flight when a step begins, and time does not pass during a request.
    assert.ok(model.isTrue(notification), `${keyOf(notification)} is not true any more`)
  }
  const stored = await tasksByIds(app.app.store.db, [...model.tasks.keys()])
  assert.equal(stored.size, model.tasks.size)
  const defaults = { reminders: model.defaults, dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
  for (const task of model.tasks.values()) {
    const row = stored.get(task.id)
    assert.ok(row)
    assert.equal(row.notifyAt, model.undelivered(task)[0] ?? null, `the alarm of task ${task.id}`)
    assert.equal(row.notifyAt, nextReminder(row, defaults), `the alarm of task ${task.id} does not follow from it`)
  }

  const count = new Map<string, number>()
  for (const { notification } of arrived) {
    const key = keyOf(notification)
    count.set(key, (count.get(key) ?? 0) + 1)
  }
  const expected = new Set(model.notifications.map(keyOf))
  for (const [key, times] of count) {
    assert.ok(expected.has(key), `${key} should not have fired`)
    assert.ok(times <= 1 + crashes, `${key} arrived ${times} times over ${crashes} crashes`)
  }
  for (const notification of model.notifications)
    if (notification.mustHaveArrived)
      assert.ok(count.has(keyOf(notification)), `${keyOf(notification)} has not arrived`)
}

/** True when the channel has worked for longer than any back-off. */
async function compareAtTheEnd(model: ReminderModel, life: Life) {
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

/** One server for all runs: each begins at a full hour, with no tasks. */
async function startLives(t: TestContext) {
  const app = await startTestApp(t)
  const { clock, recorder } = app
  const first: Reminders = ['PT15M']
  let isClean = false
  let database = failingDatabase()

  const restart = async (defaults: Reminders) => {
    database = failingDatabase()
    const { wrap, died } = database
    await app.restart({ flags: [`--default-reminders=${defaults}`], wrapDatabase: wrap })
    const { idle } = app.app
    clock.whenIdle = () => Promise.race([idle(), died.then(() => Promise.reject(new Error('died')))])
  }

  return async function live(commands: Iterable<Command>) {
    if (!isClean) {
      await stopWithFakeClock(clock, app.stop(), database)
      await restart(first)
    }
    isClean = false
    await app.client.deleteTasks()
    const hourMs = 60 * minuteMs
    await clock.advanceTo(Math.ceil(clock.now() / hourMs + 1) * hourMs)
    const startAt = clock.now()
    const model = new ReminderModel(startAt, first)
    const arrived: Message[] = []
    recorder.answer = (message) => {
      if (!model.isChannelUp) return { retry: true, reason: 'down' }
      arrived.push(message)
      return undefined
    }
    const life: Life = {
      app,
      at: (minute) => startAt + minute * minuteMs,
      arrived,
      checked: 0,
      crashes: 0,
      get database() {
        return database
      },
      restart,
    }
    await fc.asyncModelRun(() => ({ model, real: life }), commands)
    model.isChannelUp = true
    await clock.advance(10 * hourMs)
    model.advance(clock.now())
    await compare(model, life)
    await compareAtTheEnd(model, life)
    isClean = JSON.stringify(model.defaults) === JSON.stringify(first)
  }
}

test(`${runs} random runs of a server fire according to the rules`, async (t) => {
  const live = await startLives(t)
  const edits = [create, create, rename, move, move, remind, moveAndRemind, complete, reopen, detour, snooze, remove]
  const world = [advance, advance, advance, channel, channel]
  const commands = fc.commands([...edits, ...edits, ...world, ...world, restart, crash], {
    maxCommands: 20,
    size: 'max',
  })
  await fc.assert(fc.asyncProperty(commands, live), { numRuns: runs })
})
