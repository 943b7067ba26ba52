import assert from 'node:assert/strict'
import fc from 'fast-check'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import type { TestApp } from '#support/test-app.ts'
import { compare, type Life } from './reminder-checks.ts'
import type { ModelTask, ReminderModel, Reminders } from './reminder-model.ts'

/** The steps of a life, each on the server and on the model. */

const minuteMs = 60_000

export type Command = fc.AsyncCommand<ReminderModel, Life>

const expiry = fc.constantFrom(null, -30, 5, 40, 40.5, 100, 160, 400)
const reminders = fc.constantFrom<readonly (string | number)[] | null>(
  null,
  null,
  [],
  ['PT15M'],
  ['PT0S', 'PT5M', 'PT1H'],
  ['P1D', 'PT30M'],
  ['-PT20M'],
  ['PT5M', '-PT20M'],
  [50],
  [20, 'PT10M'],
)
const defaultReminders = fc.constantFrom<Reminders>(['PT15M'], ['PT30M', 'PT5M'], ['PT10M'])
const series = fc.constantFrom(
  null,
  null,
  { days: 1, from: 'expiry' as const },
  { days: 2, from: 'completion' as const },
)
/** So few that most steps meet a task to which something has happened. */
const maxTasks = 3
const which = fc.nat({ max: maxTasks - 1 })

const isoOrNull = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
const toWire = (reminders: Reminders | null) =>
  reminders?.map((reminder) => (typeof reminder === 'number' ? new Date(reminder).toISOString() : reminder)) ?? null

/** A step of a life; what it says is what a failure prints. */
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
      const tasks = [...model.tasks.values()].reverse()
      return run(tasks[nth % tasks.length] as ModelTask, model, life)
    }),
    check: (model) => model.tasks.size > 0,
  }
}

const inMs = (life: Life, list: Reminders | null) =>
  list?.map((reminder) => (typeof reminder === 'number' ? life.at(reminder) : reminder)) ?? null

export const create = fc.tuple(expiry, reminders, series).map(([minute, list, every]) => ({
  ...command(`create ${minute} ${JSON.stringify(list)} ${JSON.stringify(every)}`, async (model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    const instants = inMs(life, list)
    const isRecurring = every !== null && expiryAt !== null
    const recurrence = isRecurring ? { rule: `FREQ=DAILY;INTERVAL=${every.days}`, from: every.from } : null
    const draft = { title: 'task', expiry_dt: isoOrNull(expiryAt), reminders: toWire(instants), recurrence }
    const { id } = await life.app.client.createTask(draft)
    model.create(id, expiryAt, instants, isRecurring ? every : null)
  }),
  check: (model: ReminderModel) => model.tasks.size < maxTasks,
}))
export const rename = which.map((nth) =>
  onTask('rename', nth, async (task, model, { app }) => {
    task.version = (await app.client.updateTask(task.id, { title: `task at ${model.now}` })).version
  }),
)
export const move = fc.tuple(which, expiry).map(([nth, minute]) =>
  onTask(`move to ${minute}`, nth, async (task, model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    const request = life.app.client.updateTask(task.id, { expiry_dt: isoOrNull(expiryAt) })
    if (task.series && expiryAt === null) return assert.rejects(request, { status: 422 })
    task.version = (await request).version
    model.change(task, expiryAt, task.reminders)
  }),
)
export const remind = fc.tuple(which, reminders).map(([nth, list]) =>
  onTask(`remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const instants = inMs(life, list)
    task.version = (await life.app.client.updateTask(task.id, { reminders: toWire(instants) })).version
    model.change(task, task.expiryAt, instants)
  }),
)
export const moveAndRemind = fc.tuple(which, expiry, reminders).map(([nth, minute, list]) =>
  onTask(`move to ${minute} and remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const expiryAt = minute === null ? null : life.at(minute)
    const instants = inMs(life, list)
    const tasks = [{ id: task.id, expiry_dt: isoOrNull(expiryAt), reminders: toWire(instants) }]
    const request = life.app.client.updateTasks({ tasks })
    if (task.series && expiryAt === null) return assert.rejects(request, { status: 422 })
    task.version = (await request).tasks[0]?.version ?? 0
    model.change(task, expiryAt, instants)
  }),
)
export const complete = which.map((nth) =>
  onTask('complete', nth, async (task, model, { app }) => {
    const { version, next_id } = await app.client.completeTask(task.id)
    model.complete(task, next_id)
    task.version = version
  }),
)
export const reopen = which.map((nth) =>
  onTask('reopen', nth, async (task, model, { app }) => {
    const { version, next_id } = await app.client.reopenTask(task.id)
    model.reopen(task)
    assert.equal(next_id, task.nextId)
    task.version = version
  }),
)
export const skip = which.map((nth) =>
  onTask('skip', nth, async (task, model, { app }) => {
    const request = app.client.skipTask(task.id)
    if (task.isDone || !task.series) return assert.rejects(request, { status: 409 })
    task.version = (await request).version
    model.skip(task)
  }),
)
/** Away and back, with time for what waits to be looked at: what was dropped on the way is true again. */
export const detour = fc.tuple(which, fc.integer({ min: 1, max: 15 }), fc.boolean()).map(([nth, minutes, isMove]) =>
  onTask(`${isMove ? 'move' : 'complete'} and undo after ${minutes}`, nth, async (task, model, life) => {
    const { app, at } = life
    const { id, expiryAt, isDone } = task
    const away = at(10_000)
    if (isMove) {
      task.version = (await app.client.updateTask(id, { expiry_dt: isoOrNull(away) })).version
      model.change(task, away, task.reminders)
    } else if (!isDone) {
      const { version, next_id } = await app.client.completeTask(id)
      model.complete(task, next_id)
      task.version = version
    }
    await app.clock.advance(minutes * minuteMs)
    model.advance(app.clock.now())
    await compare(model, life)
    if (isMove) {
      task.version = (await app.client.updateTask(id, { expiry_dt: isoOrNull(expiryAt) })).version
      model.change(task, expiryAt, task.reminders)
    } else if (!isDone) {
      task.version = (await app.client.reopenTask(id)).version
      model.reopen(task)
    }
  }),
)
export const snooze = fc.tuple(which, fc.integer({ min: 1, max: 90 })).map(([nth, minutes]) =>
  onTask(`snooze for ${minutes}`, nth, async (task, model, { app }) => {
    const request = app.client.snoozeTask(task.id, { for: `PT${minutes}M` })
    if (task.isDone || task.expiryAt === null) return assert.rejects(request, { status: 409 })
    task.version = (await request).version
    model.snooze(task, model.now + minutes * minuteMs)
  }),
)
export const remove = which.map((nth) =>
  onTask('delete', nth, async (task, model, { app }) => {
    await app.client.deleteTask(task.id)
    model.tasks.delete(task.id)
  }),
)
export const advance = fc.integer({ min: 1, max: 45 }).map((minutes) =>
  command(`advance ${minutes}`, async (model, { app }) => {
    await app.clock.advance(minutes * minuteMs)
    model.advance(app.clock.now())
  }),
)
/** To the reminders of the next occurrence. Not once the channel was down: after a day deliveries fail, after three the channel is off. */
export const advanceDay = fc.constant({
  ...command('advance a day', async (model, { app }) => {
    await app.clock.advance(1_440 * minuteMs)
    model.advance(app.clock.now())
  }),
  check: (model: ReminderModel) => !model.wasChannelDown,
})
export const channel = fc.boolean().map((isUp) =>
  command(`channel ${isUp ? 'up' : 'down'}`, async (model) => {
    model.isChannelUp = isUp
    model.wasChannelDown ||= !isUp
  }),
)
export const restart = fc.tuple(fc.nat({ max: 60 }), defaultReminders).map(([minutes, defaults]) =>
  command(`restart after ${minutes} with ${defaults}`, async (model, life) => {
    await life.app.stop()
    await life.app.clock.advance(minutes * minuteMs)
    await life.restart(defaults)
    model.comeBack(life.app.clock.now(), defaults)
  }),
)
export const crash = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 })).map(([n, minutes]) =>
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
