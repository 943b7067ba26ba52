import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Answer, assertProblem, type Sending, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** Requests with bad input, and what must be true of each answer: a 4xx problem that names what is wrong, and nothing changed. */

/**
 * Bad input of every kind: a 4xx problem that names what is wrong, never a 5xx, and nothing changed. Each row has a request and its
 * expected problem.
 */
export type Row = readonly [
  words: string,
  method: string,
  path: string,
  sending: Sending | undefined,
  status: number,
  about?: string | undefined,
]

/** Three tasks and a notification that no request may change. */
export async function start(t: TestContext) {
  const app = await startTestApp(t)
  const expiry_dt = '2026-12-24T18:00:00Z'
  await app.client.createTask({ title: 'one', expiry_dt, key: 'one', tags: ['a'] })
  await app.client.createTask({ title: 'two', expiry_dt: '2026-12-01T08:00:00Z' })
  await app.client.createTask({ title: 'three', completed_dt: '2026-11-01' })
  await app.app.idle()
  const send = wireTo(app.url)
  const everything = async () => {
    const [tasks, notifications] = await Promise.all([send('GET', '/v1/tasks'), send('GET', '/v1/notifications')])
    return { tasks: tasks.body.tasks, notifications: notifications.body.notifications }
  }
  let before = await everything()
  assert.deepEqual([before.tasks.length, before.notifications.length], [3, 1])

  /** Checks that a request is refused with this problem, and changes nothing. */
  async function refuses(request: Promise<Answer>, status: number, about?: string) {
    assertProblem(await request, status, about)
    assert.deepEqual(await everything(), before, 'nothing changed')
  }
  /** Every row is tried, so that one broken promise does not hide the next. */
  async function refusesEach(rows: readonly Row[]) {
    const broken: string[] = []
    for (const [words, method, path, sending, status, about] of rows)
      await refuses(send(method, path, sending), status, about).catch(async (error: Error) => {
        broken.push(`${words}: ${error.message}`)
        before = await everything()
      })
    assert.deepEqual(broken, [])
  }
  return { ...app, url: app.url, send, refuses, refusesEach }
}

/** Rows for one member: refused in a POST, a PATCH and a PUT of many alike, with a pointer to it. */
export function inEveryWrite(words: string, members: object, pointer: string): Row[] {
  return [
    [`POST ${words}`, 'POST', '/v1/tasks', { body: { title: 'x', ...members } }, 422, pointer],
    [`PATCH ${words}`, 'PATCH', '/v1/tasks/1', { body: members }, 422, pointer],
    [`PUT ${words}`, 'PUT', '/v1/tasks', { body: { tasks: [{ id: 1, ...members }] } }, 422, `/tasks/0${pointer}`],
  ]
}
