import assert from 'node:assert/strict'
import type { TaskWire } from '#api/schemas/task.ts'
import { ProblemError } from '#client/client.ts'
import type { FakeClock } from '#support/fake-clock.ts'
import type { TestApp } from '#support/test-app.ts'

/** An action of a client or of time that may be repeated if its result is unknown. */
export type Step = (world: World) => Promise<unknown>

export interface World {
  readonly app: TestApp
  readonly clock: FakeClock
  /** Whether the step may have happened already. */
  isAgain: boolean
  /** Whether the recording channel accepts messages, fails temporarily, or fails permanently. */
  channel: 'up' | 'down' | 'refusing'
  /** ISO text of a minute of the scenario. */
  time(minute: number): string
  advanceTo(minute: number): Promise<void>
  /** The task of the last response. */
  task(title: string): TaskWire
  /** The id of the task, deleted or not. */
  idOf(title: string): number
  /** A request, and the tasks that it may change. Its response becomes the expected state. */
  request(titles: string[], send: () => Promise<TaskWire | (TaskWire | 'deleted')[] | 'deleted'>): Promise<void>
  restart(...flags: string[]): Promise<void>
}

export const create =
  (title: string, minute: number, more: object = {}): Step =>
  ({ app, isAgain, time, request }) =>
    request([title], async () => {
      try {
        return await app.client.createTask({ title, key: title, expiry_dt: time(minute), ...more })
      } catch (error) {
        // The key lets a client find the task that it may have created.
        if (!isAgain || !(error instanceof ProblemError) || error.status !== 409) throw error
        const { tasks } = await app.client.listTasks()
        return tasks.find(({ key }) => key === title) as TaskWire
      }
    })
/** Only its Idempotency-Key tells a client what it may have created. */
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
      const { tasks } = await app.client.listTasks()
      assert.equal(tasks.filter((one) => one.title === title).length, 1, `«${title}» is there once`)
      assert.ok(isAgain || !response.headers.has('idempotency-replayed'))
      return task
    })
/** The same for many tasks, each with the minute of its expiry: all of them exist once, or none does. */
export const createManyUnderKey =
  (minutes: Readonly<Record<string, number>>): Step =>
  ({ app, isAgain, time, request }) => {
    const titles = Object.keys(minutes)
    return request(titles, async () => {
      const there = async () => (await app.client.listTasks()).tasks.filter(({ title }) => titles.includes(title))
      const before = (await there()).length
      assert.ok(before === 0 || (isAgain && before === titles.length), `${before} of ${titles.length} are there`)
      const response = await fetch(`${app.url}/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `"many ${time(0)}"` },
        body: JSON.stringify({ tasks: titles.map((title) => ({ title, expiry_dt: time(minutes[title] as number) })) }),
      })
      if (!response.ok) throw new Error(`${response.status}`)
      assert.ok(isAgain || !response.headers.has('idempotency-replayed'))
      const { tasks } = (await response.json()) as { tasks: TaskWire[] }
      assert.deepEqual(await there(), tasks)
      return tasks
    })
  }
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
    request([title], () => app.client.updateTask(task(title).id, { expiry_dt: minute === null ? null : time(minute) }))
export const patchAll =
  (titles: string[], minute: number): Step =>
  ({ app, task, time, request }) =>
    request(titles, async () => {
      const tasks = titles.map((title) => ({ id: task(title).id, expiry_dt: time(minute), tags: ['moved'] }))
      return (await app.client.updateTasks({ tasks })).tasks
    })
export const complete =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.completeTask(task(title).id))
export const reopen =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title], () => app.client.reopenTask(task(title).id))
/** In a series, «title» is the first, «title 2» the one that its completion creates. */
export const completeFirst =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title, `${title} 2`], async () => {
      const done = await app.client.completeTask(task(title).id)
      const { tasks } = await app.client.listTasks()
      assert.equal(tasks.filter((one) => one.title === title).length, 2, `«${title}» has one next task`)
      return [done, await app.client.getTask(done.next_id as number)]
    })
export const reopenFirst =
  (title: string): Step =>
  ({ app, task, request }) =>
    request([title, `${title} 2`], async () => [await app.client.reopenTask(task(title).id), 'deleted'])
export const snooze =
  (title: string, minute: number): Step =>
  ({ app, task, time, request }) =>
    request([title], () => app.client.snoozeTask(task(title).id, { until: time(minute) }))
export const remove =
  (title: string): Step =>
  ({ app, isAgain, task, request }) =>
    request([title], async () => {
      await app.client.deleteTask(task(title).id).catch((error: ProblemError) => {
        if (!isAgain || error.status !== 404) throw error
      })
      return 'deleted'
    })
export const removeAll =
  (titles: string[]): Step =>
  ({ app, task, request }) =>
    request(titles, async () => {
      await app.client.deleteTasks({ ids: titles.map((title) => task(title).id) })
      return 'deleted'
    })
/** Restores the deleted tasks, under their ids. */
export const restore =
  (titles: string[]): Step =>
  ({ app, idOf, request }) =>
    request(titles, async () => {
      const ids = titles.map(idOf)
      await app.client.restoreTasks({ ids })
      return Promise.all(ids.map((id) => app.client.getTask(id)))
    })
/** Retries each notification with a failed delivery. */
export const retry: Step = async ({ app, clock }) => {
  for (const { id } of (await app.client.listNotifications({ status: 'failed' })).notifications)
    await app.client.retryNotification(id)
  await clock.whenIdle()
}
/** Own default reminders of the user; null for those of the server. */
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
