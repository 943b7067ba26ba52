import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dialect } from 'kysely'
import type { TaskWire } from '#api/schemas/task.ts'
import { testDatabase } from '#support/databases.ts'
import { type DateTimeInput, Died, type FailingDatabase, failingDatabase } from '#support/failing-database.ts'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'
import { type Arrival, expectDelivered, expectNothingLost, minuteMs } from './expectations.ts'
import { parseSample, type Sample, statementsOf } from './sample.ts'
import type { Step, World } from './steps.ts'

/**
 * The process crashes at every statement of every path that writes: before the statement ran, and after it ran but before its result
 * arrived. Then it is restarted on the data on the disk. Afterwards, for every statement:
 * - each acknowledged write is there, and nothing deleted is back;
 * - an unacknowledged write has happened completely or not at all;
 * - every task's alarm follows from the task;
 * - after the client has repeated unacknowledged requests, the notifications are exactly those of a run without a crash, and each has been
 * delivered. One may be delivered twice, under the same delivery id.
 * Times in scenarios are minutes from the scenario's start; the default reminder is 15 minutes before expiry.
 */
export interface Scenario {
  /** Settings of the recording channel besides its name. */
  readonly channel?: object
  /** Steps with a healthy database. */
  readonly before?: readonly Step[]
  /** Steps during which the database fails at one statement. */
  readonly steps: readonly Step[]
  /** `title due-minute expiry-minute state` of each notification on the recording channel. */
  readonly notifications: readonly string[]
}

export type Damage = (dialect: Dialect) => Dialect

interface Figures {
  crashes: number
  duplicates: number
}

/** A server that crashes and is restarted; its channels, its clock and its file stay. */
interface CrashingServer {
  readonly app: TestApp
  database: FailingDatabase
  flags: readonly string[]
  readonly start: () => Promise<void>
}

async function startCrashingServer(t: TestContext, damage: Damage, channel: object = {}): Promise<CrashingServer> {
  const app = await startTestApp(t, { channels: [{ name: 'recording', kind: 'recording', ...channel }] })
  const { clock } = app
  const server: CrashingServer = {
    app,
    database: failingDatabase(),
    flags: [],
    async start() {
      const { flags, database } = server
      await stopWithFakeClock(
        clock,
        app.restart({ flags, wrapDatabase: (dialect) => database.wrap(damage(dialect)) }),
        database,
      )
      const { idle } = app.app
      clock.whenIdle = () => Promise.race([idle(), database.died.then(() => Promise.reject(new Error('died')))])
      await clock.whenIdle()
    },
  }
  await server.start()
  return server
}

/** Runs a scenario, crashing at a later statement of the sample each time, until it ends without a crash. */
async function crashEverywhere(
  t: TestContext,
  scenario: Scenario,
  when: DateTimeInput,
  sample: Sample,
  damage: Damage = (same) => same,
) {
  const figures: Figures = { crashes: 0, duplicates: 0 }
  const server = await startCrashingServer(t, damage, scenario.channel)
  for (const n of statementsOf(sample)) {
    if (!(await runOnce(server, scenario, n, when, figures))) break
    figures.crashes++
  }
  return figures
}

const leaseMs = 30_000

/** @returns whether it crashed */
async function runOnce(server: CrashingServer, scenario: Scenario, n: number, when: DateTimeInput, figures: Figures) {
  const { app } = server
  const { clock, recorder } = app
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
        const one = answer === 'deleted' ? answer : ([answer].flat()[i] as TaskWire | 'deleted')
        answered.set(name, one)
        if (one !== 'deleted') titles.set(one.id, name)
      }
      await clock.whenIdle()
    },
    async restart(...flags) {
      server.flags = flags
      await server.start()
    },
  }
  recorder.answer = (message) => {
    if (world.channel !== 'up') return { retry: world.channel === 'down', reason: world.channel }
    const together = [message, ...message.others].map(({ notification }) => notification.id)
    for (const notificationId of together) arrived.push({ notificationId, deliveryId: message.deliveryId, together })
    return undefined
  }

  for (const step of scenario.before ?? []) await step(world)
  server.database.dieAt(n, when)
  let hasDied = false
  for (const step of scenario.steps) {
    world.isAgain = false
    try {
      await step(world)
      if (server.database.isFailed) throw new Died()
    } catch (error) {
      if (!server.database.isFailed) throw error
      hasDied = true
      await stopWithFakeClock(clock, app.stop(), server.database)
      server.database = failingDatabase()
      await server.start()
      // No process can know that a replica is dead before its lease ends. Then its claimed deliveries are sent, before anything else
      // happens.
      if (testDatabase !== 'sqlite') await clock.advance(leaseMs + 1_000)
      await expectNothingLost(app, answered, touched)
      world.isAgain = true
      await step(world)
    }
  }
  server.database.dieAt(Number.POSITIVE_INFINITY, when)
  await expectNothingLost(app, answered, [])
  await expectDelivered(app, startAt, titles, arrived, scenario.notifications, hasDied ? 1 : 0)
  figures.duplicates +=
    arrived.length - new Set(arrived.map(({ notificationId, deliveryId }) => `${notificationId} ${deliveryId}`)).size
  await app.client.deleteTasks()
  return hasDied
}

/** Declares the tests of some scenarios. */
export function testCrashes(scenarios: Readonly<Record<string, Scenario>>): void {
  const sample = parseSample(process.env.CRASH_SAMPLE)
  for (const [name, scenario] of Object.entries(scenarios))
    for (const when of ['before', 'after'] as const)
      test(`${name}: nothing is lost by a crash ${when} any statement`, async (t) => {
        const { crashes, duplicates } = await crashEverywhere(t, scenario, when, sample)
        t.diagnostic(
          `${crashes} crashes, part ${sample.part} of ${sample.of}; ${duplicates} notifications arrived twice`,
        )
        assert.ok(crashes * sample.of >= 5, 'it hardly ever died: what does this test?')
      })
}

/** @throws AssertionError of the first statement at which a crash loses something, on a database that is damaged on purpose */
export async function crashDamaged(t: TestContext, scenario: Scenario, damage: Damage): Promise<void> {
  await crashEverywhere(t, scenario, 'before', { part: 1, of: 1 }, damage)
}
