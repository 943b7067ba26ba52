import assert from 'node:assert/strict'
import type { Outcome } from '#core/delivery.ts'
import type { TestApp } from '#support/test-app.ts'

export const startAt = '2026-12-01T09:00:00Z'

/** Due as it is created. */
export const due = { title: 'Due', expiry_dt: '2026-12-01T09:10:00Z' }

export const [secondMs, minuteMs, hourMs] = [1_000, 60_000, 3_600_000]

export const unavailable = { retry: true, reason: '503 Service Unavailable' } as const satisfies Outcome

export const forever = () => new Promise<never>(() => {})

/** The delivery over a kind of channel of the task's latest notification. */
export async function deliveryOf({ client }: TestApp, taskId: number, kind = 'recording') {
  const { notifications } = await client.listTaskNotifications(taskId)
  const delivery = notifications[0]?.deliveries.find((one) => one.kind === kind)
  assert.ok(delivery, 'there is no such delivery')
  return delivery
}
