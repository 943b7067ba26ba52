import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from './problem.ts'
import { datesOf, nextTask, previewDates, tasksToCome } from './recurring-task.ts'
import type { Task, TaskDraft, TaskPatch } from './task.ts'
import { applyPatch, completeTask, newTask, skipTask } from './task-changes.ts'

const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds
const now = at('2026-12-01T09:00Z')
const daily = { rule: 'FREQ=DAILY', from: 'expiry' } as const
const nine = { local: Temporal.PlainDateTime.from('2026-12-02T09:00') }

const create = (draft: Partial<TaskDraft>): Task => ({
  id: 7,
  ...newTask({ title: 'x', expiry: nine, recurrence: daily, ...draft }, 1, 'uid', defaults, now),
})
const patch = (task: Task, change: TaskPatch) => applyPatch(task, change, defaults, now)
const next = (task: Task, when = now, settings = defaults) =>
  nextTask(completeTask(task, settings, when), 'next', settings, when)
const seriesOf = ({
  seriesStart,
  seriesScheduled,
  occurrence,
}: Pick<Task, 'seriesStart' | 'seriesScheduled' | 'occurrence'>) => [seriesStart, seriesScheduled, occurrence]

test('a rule begins a series at the expiry; the same again changes nothing', () => {
  const task = create({})
  assert.deepEqual(seriesOf(task), ['2026-12-02T09:00:00', '2026-12-02T09:00:00', 1])
  assert.equal(patch(task, { recurrence: daily }), task)
  assert.equal(patch(task, { recurrence: daily, expiry: nine }), task)
  const moved = patch(task, { expiry: { at: at('2026-12-05T12:00Z') } })
  assert.deepEqual(seriesOf(moved), seriesOf(task), 'a new expiry alone')
  const expiry = { local: Temporal.PlainDateTime.from('2026-12-05T13:00') }
  assert.deepEqual(seriesOf(patch(task, { recurrence: daily, expiry })), [
    '2026-12-05T13:00:00',
    '2026-12-05T13:00:00',
    1,
  ])
  const fromCompletion = patch(moved, { recurrence: { ...daily, from: 'completion' } })
  assert.deepEqual(seriesOf(fromCompletion), ['2026-12-05T13:00:00', '2026-12-05T13:00:00', 1])
  assert.deepEqual(seriesOf(patch(task, { recurrence: null })), [null, null, null])
})

test('the next task has the wall time of its series, in the zone that its user has by then', () => {
  const inParis = next(create({}))
  assert.equal(inParis?.expiryWall, '2026-12-03T09:00:00[Europe/Paris]')
  assert.equal(inParis?.notifyAt, at('2026-12-03T07:45Z'))
  const inTokyo = next(create({}), now, { ...defaults, timeZone: 'Asia/Tokyo' })
  assert.equal(inTokyo?.expiryAt, at('2026-12-03T00:00Z'))
})

test('a time that the clocks skip is later on that day only', () => {
  const local = Temporal.PlainDateTime.from('2027-03-27T02:30')
  const skipped = next(create({ expiry: { local } }))
  assert.equal(skipped?.expiryAt, at('2027-03-28T01:30Z'), '03:30')
  assert.equal(next({ ...(skipped as Task), id: 8 })?.expiryAt, at('2027-03-29T00:30Z'), '02:30 again')
})

test('an occurrence that was moved to a day or another time is followed by one of the series', () => {
  const day = patch(create({}), { expiryDate: '2026-12-06' })
  assert.equal(next(day)?.expiryWall, '2026-12-07T09:00:00[Europe/Paris]')
  const completion = { rule: 'FREQ=DAILY;INTERVAL=3', from: 'completion' } as const
  const later = patch(create({ recurrence: completion }), { expiry: { at: at('2026-12-02T17:00Z') } })
  const following = next(later)
  assert.equal(following?.expiryWall, '2026-12-04T18:00:00[Europe/Paris]', 'its time of day is the new one')
  assert.deepEqual(following && seriesOf(following), ['2026-12-04T18:00:00', '2026-12-04T18:00:00', 2])
})

test('a series ends where an expiry or a reminder cannot be stored', () => {
  const last = { local: Temporal.PlainDateTime.from('9999-12-27T09:00') }
  assert.equal(next(create({ expiry: last, reminders: [] }))?.expiryWall, '9999-12-28T09:00:00[Europe/Paris]')
  assert.equal(next(create({ expiry: last, reminders: ['-P1D'] }))?.notifyAt, at('9999-12-29T08:00Z'))
  assert.equal(next(create({ expiry: last, reminders: ['-PT41H'] })), null)
  assert.equal(next({ ...(next(create({ expiry: last, reminders: [] })) as Task), id: 8 }), null)
})

test('skipping goes beyond the expiry, where completing counts from now', () => {
  const completion = { rule: 'FREQ=DAILY;INTERVAL=3', from: 'completion' } as const
  const task = create({ expiry: null, expiryDate: '2026-12-10', recurrence: completion })
  assert.equal(skipTask(task, defaults, now).expiryDate, '2026-12-13')
  assert.equal(next(task)?.expiryDate, '2026-12-04')
  assert.deepEqual(
    [...tasksToCome(task, defaults, now).take(2)].map(({ expiryDate, occurrence }) => [expiryDate, occurrence]),
    [
      ['2026-12-13', 2],
      ['2026-12-16', 3],
    ],
  )
  assert.throws(() => skipTask(create({ recurrence: null }), defaults, now), Problem)
})

test('the dates of midnight and of whole days are those of the rule', () => {
  const midnight = { rule: 'FREQ=DAILY;INTERVAL=2', from: 'completion' } as const
  const start = Temporal.PlainDateTime.from('2026-12-03T00:00')
  assert.deepEqual(previewDates({ ...midnight, start, timeZone: 'UTC' }, 3), [
    { at: at('2026-12-03T00:00Z') },
    { at: at('2026-12-05T00:00Z') },
    { at: at('2026-12-07T00:00Z') },
  ])
  const day = create({ expiry: null, expiryDate: '2026-12-30', recurrence: { ...daily, rule: 'FREQ=DAILY;COUNT=2' } })
  assert.deepEqual(datesOf(day, defaults, now, 10), [{ date: '2026-12-30' }, { date: '2026-12-31' }])
})
