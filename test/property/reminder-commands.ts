import assert from 'node:assert/strict'
import fc from 'fast-check'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import type { TestApp } from '#support/test-app.ts'
import { compare, type Life } from './reminder-checks.ts'
import type { ModelTask, ReminderModel } from './reminder-model.ts'
import { type Expiry, expiryMembers, expiryOf, type Reminders, type Settings, zones } from './reminder-times.ts'

/** The steps of a life, each on the server and on the model. */

const minuteMs = 60_000

export type Command = fc.AsyncCommand<ReminderModel, Life>

/** A minute of this life, or one of its days. */
type Due = number | null | { readonly day: number }
const day = fc.constantFrom<Due>({ day: -1 }, { day: 0 }, { day: 1 }, { day: 2 })
const expiry = fc.oneof({ weight: 2, arbitrary: fc.constantFrom<Due>(null, -30, 5, 40, 40.5, 100, 160, 400) }, day)
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
  ['P1D@09:00', 'PT0S'],
  ['P0D@12:00'],
  ['-P1D@08:00', 'PT1H'],
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

const toExpiry = (life: Life, due: Due): Expiry =>
  due === null ? null : typeof due === 'number' ? { at: life.at(due) } : { day: life.firstDay + due.day }
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

const createAt = (due: fc.Arbitrary<Due>) =>
  fc.tuple(due, reminders, series).map(([due, list, every]) => ({
    ...command(
      `create ${JSON.stringify(due)} ${JSON.stringify(list)} ${JSON.stringify(every)}`,
      async (model, life) => {
        const expiry = toExpiry(life, due)
        const instants = inMs(life, list)
        const isRecurring = every !== null && expiry !== null
        const recurrence = isRecurring ? { rule: `FREQ=DAILY;INTERVAL=${every.days}`, from: every.from } : null
        const draft = { title: 'task', ...expiryMembers(expiry), reminders: toWire(instants), recurrence }
        const { id } = await life.app.client.createTask(draft)
        model.create(id, expiry, instants, isRecurring ? every : null)
      },
    ),
    check: (model: ReminderModel) => model.tasks.size < maxTasks,
  }))
export const create = createAt(expiry)
export const createDay = createAt(day)
export const rename = which.map((nth) =>
  onTask('rename', nth, async (task, model, { app }) => {
    task.version = (await app.client.updateTask(task.id, { title: `task at ${model.now}` })).version
    model.touch(task)
  }),
)
export const move = fc.tuple(which, expiry).map(([nth, due]) =>
  onTask(`move to ${JSON.stringify(due)}`, nth, async (task, model, life) => {
    const expiry = toExpiry(life, due)
    const request = life.app.client.updateTask(task.id, expiryMembers(expiry))
    if (task.series && expiry === null) return assert.rejects(request, { status: 422 })
    task.version = (await request).version
    model.change(task, expiry, task.reminders)
  }),
)
export const remind = fc.tuple(which, reminders).map(([nth, list]) =>
  onTask(`remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const instants = inMs(life, list)
    task.version = (await life.app.client.updateTask(task.id, { reminders: toWire(instants) })).version
    model.change(task, expiryOf(task), instants)
  }),
)
export const moveAndRemind = fc.tuple(which, expiry, reminders).map(([nth, due, list]) =>
  onTask(`move to ${JSON.stringify(due)} and remind ${JSON.stringify(list)}`, nth, async (task, model, life) => {
    const expiry = toExpiry(life, due)
    const instants = inMs(life, list)
    const tasks = [{ id: task.id, ...expiryMembers(expiry), reminders: toWire(instants) }]
    const request = life.app.client.updateTasks({ tasks })
    if (task.series && expiry === null) return assert.rejects(request, { status: 422 })
    task.version = (await request).tasks[0]?.version ?? 0
    model.change(task, expiry, instants)
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
/** To the next reminder of any task, often that of a day. Not once the channel was down, as above. */
export const advanceToNext = fc.constant({
  ...command('advance to the next reminder', async (model, { app }) => {
    const ahead = [...model.tasks.values()].flatMap((task) => model.undelivered(task).slice(0, 1))
    await app.clock.advanceTo(Math.min(...ahead) + minuteMs)
    model.advance(app.clock.now())
  }),
  check: (model: ReminderModel) =>
    !model.wasChannelDown && [...model.tasks.values()].some((task) => model.undelivered(task).length > 0),
})
const zone = fc.constantFrom(...(Object.keys(zones) as (keyof typeof zones)[]))
const settingsPatch = fc.oneof(
  { weight: 3, arbitrary: fc.record({ zone: zone }) },
  fc.record({ dayTime: fc.constantFrom('00:00', '09:00', '18:30') }),
  fc.record({ dayReminders: fc.constantFrom(['PT0S'], [], ['P1D', 'PT5M'], ['P1D@09:00', 'P0D@18:00']) }),
)
async function saveSettings(model: ReminderModel, { app }: Life, patch: Partial<Settings>) {
  const { zone, dayTime, dayReminders } = { ...model.settings, ...patch }
  await app.client.updateSettings({ time_zone: zone, day_time: dayTime, default_day_reminders: [...dayReminders] })
  model.changeSettings({ zone, dayTime, dayReminders })
}
/** The user moves to another zone, or chooses other reminders for days. */
export const changeSettings = settingsPatch.map((patch: Partial<Settings>) =>
  command(`settings ${JSON.stringify(patch)}`, async (model, life) => {
    // A write within the millisecond of the change counts as later, so some time passes.
    await life.app.clock.advance(minuteMs)
    model.advance(life.app.clock.now())
    await compare(model, life)
    await saveSettings(model, life, patch)
  }),
)
/** Away and back, with time for what waits to be looked at: what was dropped on the way is true again. */
export const detour = fc
  .tuple(which, fc.integer({ min: 1, max: 15 }), fc.boolean(), fc.option(zone))
  .map(([nth, minutes, isMove, elsewhere]) =>
    onTask(
      `${isMove ? 'move' : 'complete'} and undo after ${minutes}, in ${elsewhere ?? 'the same zone'}`,
      nth,
      async (task, model, life) => {
        const { app, at } = life
        const { id, isDone } = task
        const expiry = expiryOf(task)
        const away = { at: at(10_000) }
        if (isMove) {
          task.version = (await app.client.updateTask(id, expiryMembers(away))).version
          model.change(task, away, task.reminders)
        } else if (!isDone) {
          const { version, next_id } = await app.client.completeTask(id)
          model.complete(task, next_id)
          task.version = version
        }
        await app.clock.advance(minutes * minuteMs)
        model.advance(app.clock.now())
        await compare(model, life)
        if (elsewhere) await saveSettings(model, life, { zone: elsewhere })
        if (isMove) {
          task.version = (await app.client.updateTask(id, expiryMembers(expiry))).version
          model.change(task, expiry, task.reminders)
        } else if (!isDone) {
          task.version = (await app.client.reopenTask(id)).version
          model.reopen(task)
        }
      },
    ),
  )
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
