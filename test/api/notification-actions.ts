import assert from 'node:assert/strict'
import type { Outcome } from '#core/delivery.ts'
import { createRecorder, type Recorder } from '#support/recording-channel.ts'
import type { TestApp, TestAppOptions } from '#support/test-app.ts'

/** The actions of a person on notifications: acknowledge them, find failed ones, and retry them. */
export const startAt = '2026-12-01T09:00:00Z'

export const overdue = { title: 'x', expiry_dt: '2026-12-01T08:00:00Z' }

export const [secondMs, hourMs] = [1_000, 3_600_000]

export const refused: Outcome = { retry: false, reason: '410 Gone' }

export const unavailable: Outcome = { retry: true, reason: '503 Service Unavailable' }

/** Creates a task that fires at once, and returns its notification. */
export async function fire({ client, app }: TestApp, more: object = {}) {
  const task = await client.createTask({ ...overdue, ...more })
  await app.idle()
  const [notification] = (await client.listTaskNotifications(task.id)).notifications
  assert.ok(notification)
  return notification
}

/** Two channels of the recording kind, so that one may fail where the other does not. */
export function withSecond(): { second: Recorder; options: TestAppOptions } {
  const second = createRecorder('second')
  const channels = [
    { name: 'recording', kind: 'recording' },
    { name: 'second', kind: 'second' },
  ]
  return { second, options: { startAt, kinds: [second.kind], channels } }
}
