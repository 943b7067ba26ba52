import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '#support/test-app.ts'

test('a task rings 15 minutes before its expiry, not a second earlier', async (t) => {
  const { client, clock, bell, lines } = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  const task = await client.create({ title: 'Renew passport', expiry_dt: '2026-12-01T10:00:00Z' })

  await clock.advanceTo('2026-12-01T09:44:59Z')
  assert.deepEqual(bell.take(), [])
  await clock.advanceTo('2026-12-01T09:45:00Z')
  const words = `Your task (id:${task.id},title:"Renew passport") will be expired at 2026-12-01T10:00:00+00:00!`
  assert.deepEqual(bell.take(), [words])
  assert.equal(lines.filter((line) => line.endsWith(`${words}\n`)).length, 1)

  await clock.advance(24 * 3_600_000)
  assert.deepEqual(bell.take(), [], 'and never again')
})
