import assert from 'node:assert/strict'
import type { TaskWire } from '#api/schemas/task.ts'
import { ProblemError } from '#client/client.ts'
import type { FakeClock } from '#support/fake-clock.ts'
import type { TestApp } from '#support/test-app.ts'

/** Something a client or time does, that may be done again when it is not known whether it happened. */
export type Step = (world: World) => Promise<unknown>

export interface World {
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

export const create =
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
export const createUnderKey =
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
export const completeUnderKey =
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
export const patch =
  (title: string, minute: number | null): Step =>
  ({ app, task, time, request }) =>
    request([title], () => app.client.update(task(title).id, { expiry_dt: minute === null ? null : time(minute) }))
export const patchAll =
  (titles: string[], minute: number): Step =>
  ({ app, task, time, request }) =>
    request(titles, async () => {
      const tasks = titles.map((title) => ({ id: task(title).id, expiry_dt: time(minute), tags: ['moved'] }))
      return (await app.client.updateMany(tasks)).tasks
    })
export const complete =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.complete(task(title).id))
export const reopen =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.reopen(task(title).id))
export const snooze =
  (title: string, minute: number): Step =>
  ({ app, task, time, request }) =>
    request([title], () => app.client.snooze(task(title).id, { until: time(minute) }))
export const remove =
  (title: string): Step =>
  ({ app, isAgain, task, request }) =>
    request([title], async () => {
      await app.client.delete(task(title).id).catch((error: ProblemError) => {
        if (!isAgain || error.status !== 404) throw error
      })
      return 'deleted'
    })
export const removeAll =
  (titles: string[]): Step =>
  ({ app, task, request }) =>
    request(titles, async () => {
      await app.client.deleteMany({ ids: titles.map((title) => task(title).id) })
      return 'deleted'
    })
/** What was deleted, under the ids it had. */
export const restore =
  (titles: string[]): Step =>
  ({ app, idOf, request }) =>
    request(titles, async () => {
      const ids = titles.map(idOf)
      await app.client.restore({ ids })
      return Promise.all(ids.map((id) => app.client.get(id)))
    })
/** Asks for another try of each notification that has a delivery given up. */
export const retry: Step = async ({ app, clock }) => {
  for (const { id } of (await app.client.notifications({ status: 'failed' })).notifications) await app.client.retry(id)
  await clock.whenIdle()
}
/** Default reminders of his own; null for those of the server. */
export const choose =
  (reminders: string[] | null): Step =>
  async ({ app, clock }) => {
    await app.client.updateSettings({ default_reminders: reminders })
    await clock.whenIdle()
  }
export const advance =
  (minute: number): Step =>
  (world) =>
    world.advanceTo(minute)
export const restart =
  (...flags: string[]): Step =>
  (world) =>
    world.restart(...flags)
export const channel =
  (state: World['channel']): Step =>
  async (world) => {
    world.channel = state
  }
