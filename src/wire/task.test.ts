import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { newTask } from '#core/task-changes.ts'
import { toPatch, toTaskWire } from './task.ts'
import { parseTime } from './time.ts'

const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
const taskAt = (now: number) => ({ id: 1, ...newTask({ title: 'x' }, 1, 'uid', defaults, now) })

test('times go out as Date writes them, whatever the instant', () => {
  const instants = fc.integer({ min: Date.parse('0001-01-02T00:00:00Z'), max: Date.parse('9999-12-30T00:00:00Z') })
  fc.assert(
    fc.property(instants, (at) => {
      assert.equal(toTaskWire(taskAt(at)).create_dt, new Date(at).toISOString())
    }),
    { numRuns: 2_000 },
  )
})

test('what goes out comes in as the same instant', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), (at) => {
      assert.deepEqual(parseTime(toTaskWire(taskAt(at)).create_dt), { at })
    }),
  )
})

test('a task that was read can be sent back as it is', () => {
  const wire = toTaskWire({ ...taskAt(1e12), expiryAt: 2e12, reminders: ['P1D', 1.9e12] })
  const { id: _, ...patch } = wire
  assert.deepEqual(toPatch(patch), {
    key: null,
    title: 'x',
    description: null,
    timeZone: null,
    tags: [],
    priority: 'none',
    expiry: { at: 2e12 },
    expiryDate: null,
    completed: null,
    recurrence: null,
    reminders: ['P1D', { at: 1.9e12 }],
  })
})
