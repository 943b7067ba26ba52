import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { Dialect } from 'kysely'
import { ProblemError } from '#client/client.ts'
import { type Defaults, nextReminder } from '#core/reminder.ts'
import type { TaskWire } from '#http/shapes.ts'
import { tasksByIds } from '#store/tasks.ts'
import { testDatabase } from '#support/databases.ts'
import { Died, type FailingDatabase, failingDatabase, type Moment, wrapConnections } from '#support/failing-database.ts'
import type { FakeClock } from '#support/fake-clock.ts'
import { outlast } from '#support/outlast.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/**
 * The process dies at every statement of every path that writes: before it ran, and after it ran but before its answer came.
 * Then it is started again on what is on the disk. What must hold, whichever statement it was:
 *
 *   - each write that was answered is there, and nothing that was deleted is back;
 *   - a write that was not answered has happened as a whole or not at all;
 *   - every task's alarm is what follows from the task;
 *   - once its client has repeated what was not answered, exactly the notices of a run without a crash have been told,
 *     and each has arrived. One may arrive twice, under the same delivery id.
 *
 * Times in scenarios are minutes from the scenario's start; the default reminder is 15 minutes before expiry.
 */
interface Scenario {
  /** What is said of the recording channel besides its name. */
  readonly channel?: object
  /** With a healthy database. */
  readonly before?: readonly Step[]
  /** With one that dies somewhere in here. */
  readonly steps: readonly Step[]
  /** `title due-minute expiry-minute state` of each notice on the recording channel. */
  readonly notices: readonly string[]
}

/** A notice that arrived, and the message in which it did. */
interface Arrival {
  readonly noticeId: number
  readonly deliveryId: string
  /** Of the message, with those of the others in it. */
  readonly together: readonly number[]
}

/** Something a client or time does, that may be done again when it is not known whether it happened. */
type Step = (world: World) => Promise<unknown>

interface World {
  readonly app: TestApp
  readonly clock: FakeClock
  /** Whether the step may have happened already. */
  isAgain: boolean
  /** Whether the recording channel takes what it is given, not for now, or never. */
  channel: 'up' | 'down' | 'refusing'
  /** ISO text of a minute of the scenario. */
  time(minute: number): string
  advanceTo(minute: number): Promise<void>
  /** The task as it was last answered. */
  task(title: string): TaskWire
  /** The id of the task, deleted or not. */
  idOf(title: string): number
  /** A request, and the tasks that it may change. What it answers is from then on what must be there. */
  request(titles: string[], send: () => Promise<TaskWire | TaskWire[] | 'deleted'>): Promise<void>
  restart(...flags: string[]): Promise<void>
}

const create =
  (title: string, minute: number, more: object = {}): Step =>
  ({ app, isAgain, time, request }) =>
    request([title], async () => {
      try {
        return await app.client.create({ title, key: title, expiry_dt: time(minute), ...more })
      } catch (error) {
        // The key is what lets a client find what it does not know to have created.
        if (!isAgain || !(error instanceof ProblemError) || error.status !== 409) throw error
        const { tasks } = await app.client.list()
        return tasks.find(({ key }) => key === title) as TaskWire
      }
    })
/** By nothing but its Idempotency-Key does a client know what it may have created. */
const createUnderKey =
  (title: string, minute: number): Step =>
  ({ app, isAgain, time, request }) =>
    request([title], async () => {
      const response = await fetch(`${app.url}/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `"${title} ${time(0)}"` },
        body: JSON.stringify({ title, expiry_dt: time(minute) }),
      })
      const task = (await response.json()) as TaskWire
      if (!response.ok) throw new Error(`${response.status}`)
      const { tasks } = await app.client.list()
      assert.equal(tasks.filter((one) => one.title === title).length, 1, `«${title}» is there once`)
      assert.ok(isAgain || !response.headers.has('idempotency-replayed'))
      return task
    })
const completeUnderKey =
  (title: string): Step =>
  ({ app, task, time, request }) =>
    request([title], async () => {
      const { id } = task(title)
      const response = await fetch(`${app.url}/v1/tasks/${id}/complete`, {
        method: 'POST',
        headers: { 'idempotency-key': `complete ${title} ${time(0)}`.replaceAll(' ', '-'), 'if-match': '"1"' },
      })
      if (!response.ok) throw new Error(`${response.status}`)
      return (await response.json()) as TaskWire
    })
const patch =
  (title: string, minute: number | null): Step =>
  ({ app, task, time, request }) =>
    request([title], () => app.client.update(task(title).id, { expiry_dt: minute === null ? null : time(minute) }))
const patchAll =
  (titles: string[], minute: number): Step =>
  ({ app, task, time, request }) =>
    request(titles, async () => {
      const tasks = titles.map((title) => ({ id: task(title).id, expiry_dt: time(minute), tags: ['moved'] }))
      return (await app.client.updateMany(tasks)).tasks
    })
const complete =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.complete(task(title).id))
const reopen =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.reopen(task(title).id))
const snooze =
  (title: string, minute: number): Step =>
  ({ app, task, time, request }) =>
    request([title], () => app.client.snooze(task(title).id, { until: time(minute) }))
const remove =
  (title: string): Step =>
  ({ app, isAgain, task, request }) =>
    request([title], async () => {
      await app.client.delete(task(title).id).catch((error: ProblemError) => {
        if (!isAgain || error.status !== 404) throw error
      })
      return 'deleted'
    })
const removeAll =
  (titles: string[]): Step =>
  ({ app, task, request }) =>
    request(titles, async () => {
      await app.client.deleteMany({ ids: titles.map((title) => task(title).id) })
      return 'deleted'
    })
/** What was deleted, under the ids it had. */
const restore =
  (titles: string[]): Step =>
  ({ app, idOf, request }) =>
    request(titles, async () => {
      const ids = titles.map(idOf)
      await app.client.restore({ ids })
      return Promise.all(ids.map((id) => app.client.get(id)))
    })
/** Asks for another try of each notification that has a delivery given up. */
const retry: Step = async ({ app, clock }) => {
  for (const { id } of (await app.client.notifications({ status: 'dead' })).notifications) await app.client.retry(id)
  await clock.settle()
}
/** Default reminders of his own; null for those of the server. */
const choose =
  (reminders: string[] | null): Step =>
  async ({ app, clock }) => {
    await app.client.updateSettings({ default_reminders: reminders })
    await clock.settle()
  }
const advance =
  (minute: number): Step =>
  (world) =>
    world.advanceTo(minute)
const restart =
  (...flags: string[]): Step =>
  (world) =>
    world.restart(...flags)
const channel =
  (state: World['channel']): Step =>
  async (world) => {
    world.channel = state
  }

const scenarios: Record<string, Scenario> = {
  'several are told in one message': {
    channel: { group_wait: 'PT5M' },
    before: [create('a', 60), create('b', 60), create('c', 60), create('later', 67)],
    steps: [advance(45), advance(51), advance(66)],
    notices: ['a 45 60 sent', 'b 45 60 sent', 'c 45 60 sent', 'later 52 67 sent'],
  },
  'it is told again, until it is done': {
    channel: { repeat: { every: 'PT5M', max: 2 } },
    before: [create('heard', 60), create('unheard', 60)],
    steps: [advance(45), advance(52), complete('heard'), advance(61)],
    notices: ['heard 45 60 sent +1', 'unheard 45 60 sent +2'],
  },
  'a task is created, rings and is told': {
    steps: [create('ahead', 60), create('due', 10), advance(44), advance(45), advance(61)],
    notices: ['ahead 45 60 sent', 'due -5 10 sent'],
  },
  'a task is created under an Idempotency-Key, and one is completed under If-Match': {
    before: [create('done', 60)],
    steps: [createUnderKey('once', 60), completeUnderKey('done'), createUnderKey('due', 10), advance(46)],
    notices: ['due -5 10 sent', 'once 45 60 sent'],
  },
  'the expiry moves on, and back, and away': {
    before: [create('moved', 60), create('cleared', 60), create('back', 60)],
    steps: [
      patch('moved', 120),
      patch('cleared', null),
      patch('back', 300),
      patch('back', 60),
      advance(50),
      patch('back', 300),
      patch('back', 60),
      advance(105),
      patch('moved', 180),
      advance(170),
    ],
    notices: ['back 45 60 sent', 'moved 105 120 sent', 'moved 165 180 sent'],
  },
  'many tasks are moved in one request': {
    before: [create('a', 60), create('b', 70), create('c', 80)],
    steps: [patchAll(['a', 'b', 'c'], 120), advance(80), advance(105), patchAll(['a', 'c'], 119), advance(106)],
    notices: ['a 104 119 sent', 'a 105 120 sent', 'b 105 120 sent', 'c 104 119 sent', 'c 105 120 sent'],
  },
  'tasks are completed and reopened': {
    before: [create('done', 60), create('again', 60), create('late', 60)],
    steps: [
      complete('done'),
      complete('again'),
      complete('late'),
      reopen('again'),
      advance(45),
      reopen('late'),
      complete('again'),
      reopen('again'),
      advance(61),
    ],
    notices: ['again 45 60 sent', 'late 45 60 sent'],
  },
  'a task is snoozed, also after its expiry': {
    before: [create('nap', 60), advance(45)],
    steps: [snooze('nap', 50), advance(51), snooze('nap', 90), advance(91)],
    notices: ['nap 45 60 sent', 'nap 50 60 sent', 'nap 90 60 sent'],
  },
  'tasks are deleted before they ring, and after': {
    before: [create('never', 60), create('rung', 60)],
    steps: [remove('never'), channel('down'), advance(45), remove('rung'), channel('up'), advance(61)],
    notices: ['rung 45 60 dropped'],
  },
  'tasks are deleted together, and come back around the instant they ring': {
    before: [create('early', 60), create('late', 60), create('told', 30), advance(15)],
    steps: [
      removeAll(['early', 'late', 'told']),
      advance(44),
      restore(['early', 'told']),
      advance(50),
      restore(['late']),
      advance(61),
    ],
    notices: ['early 45 60 sent', 'late 45 60 sent', 'told 15 30 sent'],
  },
  'what was dropped underway is told when its task is restored': {
    before: [create('undone', 60), channel('down'), advance(45)],
    steps: [remove('undone'), advance(47), channel('up'), restore(['undone']), advance(61)],
    notices: ['undone 45 60 sent'],
  },
  'what was given up is told when a person asks for another try': {
    before: [create('refused', 60), channel('refusing'), advance(45)],
    steps: [channel('up'), retry, advance(61)],
    notices: ['refused 45 60 sent'],
  },
  'a channel fails, and takes it when it is tried again': {
    before: [create('retried', 60)],
    steps: [channel('down'), advance(46), channel('up'), advance(61)],
    notices: ['retried 45 60 sent'],
  },
  'what was dropped underway is told when it is true again': {
    before: [create('undone', 60), create('returned', 60), channel('down'), advance(45)],
    steps: [
      complete('undone'),
      patch('returned', 300),
      advance(47),
      channel('up'),
      reopen('undone'),
      patch('returned', 60),
      advance(61),
    ],
    notices: ['returned 45 60 sent', 'undone 45 60 sent'],
  },
  'the server starts with other default reminders, and with what waited': {
    before: [
      create('default', 60),
      create('own', 61, { reminders: ['PT15M'] }),
      create('waits', 10, { reminders: ['PT15M'] }),
      channel('down'),
    ],
    steps: [restart('--default-reminders=PT30M,PT5M'), channel('up'), advance(30), advance(46), restart(), advance(61)],
    notices: ['default 30 60 sent', 'own 46 61 sent', 'waits -5 10 sent'],
  },
  'a person chooses other default reminders, with what has rung and what waits': {
    before: [
      choose(null),
      create('default', 60),
      create('own', 61, { reminders: ['PT15M'] }),
      create('rung', 14),
      channel('down'),
      create('waits', 10),
      advance(1),
    ],
    steps: [choose(['PT30M', 'PT5M']), channel('up'), advance(30), choose(null), advance(61)],
    notices: [
      'default 30 60 sent',
      'default 45 60 sent',
      'own 46 61 sent',
      'rung -1 14 sent',
      'rung 9 14 sent',
      'waits -5 10 sent',
      'waits 5 10 sent',
    ],
  },
}

type Damage = (dialect: Dialect) => Dialect

interface Figures {
  crashes: number
  duplicates: number
}

/** A server that dies and is started again; its channels, its clock and its file stay. */
interface Patient {
  readonly app: TestApp
  database: FailingDatabase
  flags: readonly string[]
  readonly start: () => Promise<void>
}

async function startPatient(t: TestContext, damage: Damage, channel: object = {}): Promise<Patient> {
  const app = await startTestApp(t, { channels: [{ name: 'recording', kind: 'recording', ...channel }] })
  const { clock } = app
  const patient: Patient = {
    app,
    database: failingDatabase(),
    flags: [],
    async start() {
      const { flags, database } = patient
      await outlast(clock, app.restart({ flags, wrapDatabase: (dialect) => database.wrap(damage(dialect)) }), database)
      const { idle } = app.app
      clock.settle = () => Promise.race([idle(), database.died.then(() => Promise.reject(new Error('died')))])
      await clock.settle()
    },
  }
  await patient.start()
  return patient
}

/** Runs a scenario, dying one statement later each time, until it ends alive. */
async function crashEverywhere(t: TestContext, scenario: Scenario, when: Moment, damage: Damage = (same) => same) {
  const figures: Figures = { crashes: 0, duplicates: 0 }
  const patient = await startPatient(t, damage, scenario.channel)
  while (await runOnce(patient, scenario, figures.crashes + 1, when, figures)) figures.crashes++
  return figures
}

const minuteMs = 60_000
const leaseMs = 30_000

/** @returns whether it died */
async function runOnce(patient: Patient, scenario: Scenario, n: number, when: Moment, figures: Figures) {
  const { app } = patient
  const { clock, bell } = app
  const startAt = Math.ceil(clock.now() / (60 * minuteMs) + 1) * 60 * minuteMs
  await clock.advanceTo(startAt)

  const answered = new Map<string, TaskWire | 'deleted'>()
  const titles = new Map<number, string>()
  const arrived: Arrival[] = []
  let touched: readonly string[] = []
  const world: World = {
    app,
    clock,
    isAgain: false,
    channel: 'up',
    time: (minute) => new Date(startAt + minute * minuteMs).toISOString(),
    async advanceTo(minute) {
      await clock.advance(Math.max(0, startAt + minute * minuteMs - clock.now()))
    },
    task(title) {
      const task = answered.get(title)
      assert.ok(task && task !== 'deleted')
      return task
    },
    idOf(title) {
      const found = [...titles].find(([, name]) => name === title)
      assert.ok(found)
      return found[0]
    },
    async request(names, send) {
      touched = names
      const answer = await send()
      touched = []
      for (const [i, name] of names.entries()) {
        const one = answer === 'deleted' ? answer : ([answer].flat()[i] as TaskWire)
        answered.set(name, one)
        if (one !== 'deleted') titles.set(one.id, name)
      }
      await clock.settle()
    },
    async restart(...flags) {
      patient.flags = flags
      await patient.start()
    },
  }
  bell.answer = (message) => {
    if (world.channel !== 'up') return { retry: world.channel === 'down', reason: world.channel }
    const together = [message, ...message.others].map(({ notice }) => notice.id)
    for (const noticeId of together) arrived.push({ noticeId, deliveryId: message.deliveryId, together })
    return undefined
  }

  for (const step of scenario.before ?? []) await step(world)
  patient.database.dieAt(n, when)
  let hasDied = false
  for (const step of scenario.steps) {
    world.isAgain = false
    try {
      await step(world)
      if (patient.database.isDead) throw new Died()
    } catch (error) {
      if (!patient.database.isDead) throw error
      hasDied = true
      await outlast(clock, app.stop(), patient.database)
      patient.database = failingDatabase()
      await patient.start()
      // Nobody can know that a replica is dead before its lease ends; what it had in hand is then told, before anything goes on.
      if (testDatabase !== 'sqlite') await clock.advance(leaseMs + 1_000)
      await expectNothingLost(app, answered, touched)
      world.isAgain = true
      await step(world)
    }
  }
  patient.database.dieAt(Number.POSITIVE_INFINITY, when)
  await expectNothingLost(app, answered, [])
  await expectTold(app, startAt, titles, arrived, scenario.notices, hasDied ? 1 : 0)
  figures.duplicates +=
    arrived.length - new Set(arrived.map(({ noticeId, deliveryId }) => `${noticeId} ${deliveryId}`)).size
  await app.client.deleteAll()
  return hasDied
}

async function expectNothingLost(
  app: TestApp,
  answered: ReadonlyMap<string, TaskWire | 'deleted'>,
  touched: readonly string[],
) {
  const { tasks } = await app.client.list()
  const stored = new Map(tasks.map((task) => [task.title, task]))
  for (const [title, task] of answered) {
    if (touched.includes(title)) continue
    if (task === 'deleted') assert.equal(stored.get(title), undefined, `«${title}» was deleted and is back`)
    else assert.deepEqual(stored.get(title), task, `«${title}» is not as it was last answered`)
  }
  const happened = touched.map((title) => !isDeepStrictEqual(stored.get(title), answered.get(title)))
  assert.ok(new Set(happened).size <= 1, `a write of ${touched.join(', ')} happened by half`)

  const settings = await app.client.settings()
  const defaults: Defaults = { reminders: settings.default_reminders, timeZone: settings.time_zone }
  for (const task of (
    await tasksByIds(
      app.app.store.db,
      tasks.map(({ id }) => id),
    )
  ).values())
    assert.equal(task.notifyAt, nextReminder(task, defaults), `the alarm of «${task.title}» does not follow from it`)
}

async function expectTold(
  app: TestApp,
  startAt: number,
  titles: ReadonlyMap<number, string>,
  arrived: readonly Arrival[],
  expected: readonly string[],
  crashes: number,
) {
  const { notifications } = await app.client.notifications({ limit: 100 })
  const minute = (time: string) => (Date.parse(time) - startAt) / minuteMs
  const told: string[] = []
  for (const { id, task_id, due_dt, expiry_dt, deliveries } of notifications) {
    const title = titles.get(task_id)
    if (title === undefined) continue // of an earlier round
    for (const delivery of deliveries)
      assert.equal(delivery.next_attempt_dt, null, `a delivery of «${title}» over ${delivery.kind} is still open`)
    const delivery = deliveries.find(({ kind }) => kind === 'recording')
    told.push(`${title} ${minute(due_dt)} ${minute(expiry_dt)} ${delivery?.state}`)
    const times = arrived.filter(({ noticeId }) => noticeId === id)
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
    if (repeats > 0) told[told.length - 1] += ` +${repeats}`
  }
  assert.deepEqual(told.sort(), expected.toSorted())
}

for (const [name, scenario] of Object.entries(scenarios))
  for (const when of ['before', 'after'] as const)
    test(`${name}: nothing is lost by a crash ${when} any statement`, async (t) => {
      const { crashes, duplicates } = await crashEverywhere(t, scenario, when)
      t.diagnostic(`${crashes} crashes, ${duplicates} notices arrived twice`)
      assert.ok(crashes >= 5, 'it hardly ever died: what does this test?')
    })

test('the premise: without transactions this test finds what is lost', async (t) => {
  const nothing = { rows: [], numAffectedRows: 0n }
  const ring = scenarios['a task is created, rings and is told'] as Scenario
  const autocommit: Damage = (dialect) =>
    wrapConnections(dialect, async (text, run) => (/^(begin|commit|rollback)/.test(text) ? (nothing as never) : run()))
  await assert.rejects(crashEverywhere(t, ring, 'before', autocommit), assert.AssertionError)
})

test('the premise: with an answer before the commit this test finds what is lost', async (t) => {
  const nothing = { rows: [], numAffectedRows: 0n }
  const edits = scenarios['the expiry moves on, and back, and away'] as Scenario
  const lazily: Damage = (dialect) => {
    let late: (() => Promise<unknown>) | undefined
    return wrapConnections(dialect, async (text, run) => {
      if (text === 'commit') {
        late = run
        return nothing as never
      }
      if (/^begin/.test(text)) await late?.()
      return run()
    })
  }
  await assert.rejects(crashEverywhere(t, edits, 'before', lazily), assert.AssertionError)
})
