import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLead } from './duration.ts'
import { fire, nextReminder, reminderAt, upcomingReminders } from './reminder.ts'

const at = (text: string) => Date.parse(text)
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
const task = {
  expiryAt: at('2026-12-01T10:00:00Z'),
  expiryDate: null,
  timeZone: null,
  reminders: null,
  completedAt: null,
  snoozedUntilAt: null,
  firedUntilAt: null,
  notifyAt: null,
}

test('a task without reminders of its own follows the defaults', () => {
  assert.equal(nextReminder(task, defaults), at('2026-12-01T09:45:00Z'))
  assert.equal(nextReminder(task, { ...defaults, reminders: ['P1D'] }), at('2026-11-30T10:00:00Z'))
})

test('an empty list of reminders means never', () => {
  assert.equal(nextReminder({ ...task, reminders: [] }, defaults), null)
})

test('a task without an expiry, and a completed one, does not fire', () => {
  assert.equal(nextReminder({ ...task, expiryAt: null }, defaults), null)
  assert.equal(nextReminder({ ...task, expiryAt: null, reminders: [at('2026-12-01T08:00:00Z')] }, defaults), null)
  assert.equal(nextReminder({ ...task, completedAt: 1 }, defaults), null)
})

test('of several reminders the earliest that has not fired is next, and at the end there is none', () => {
  const many = { ...task, reminders: ['PT0S', 'P1D', 'PT1H', at('2026-12-01T09:30:00Z')] }
  const seen: (number | null)[] = []
  let firedUntilAt: number | null = null
  for (let i = 0; i < 5; i++) {
    const next = nextReminder({ ...many, firedUntilAt }, defaults)
    seen.push(next)
    firedUntilAt = next ?? firedUntilAt
  }
  assert.deepEqual(seen, [
    at('2026-11-30T10:00:00Z'),
    at('2026-12-01T09:00:00Z'),
    at('2026-12-01T09:30:00Z'),
    at('2026-12-01T10:00:00Z'),
    null,
  ])
})

test('a snooze is one more instant besides the reminders', () => {
  const snoozed = { ...task, firedUntilAt: at('2026-12-01T09:45:00Z'), snoozedUntilAt: at('2026-12-01T10:30:00Z') }
  assert.equal(nextReminder(snoozed, defaults), at('2026-12-01T10:30:00Z'))
  assert.equal(fire(snoozed, defaults, at('2026-12-01T10:30:00Z')).notification?.reminder, 'snooze')
})

test('days are calendar days in the zone of the task: the day before a clock change has the same local time', () => {
  // Paris, 29 March 2026: 02:00 becomes 03:00, and the day has 23 hours.
  const day = { at: at('2026-03-29T10:00:00+02:00'), date: null }
  const utc = { ...defaults, timeZone: 'UTC' }
  assert.equal(reminderAt('P1D', day, defaults), at('2026-03-28T10:00:00+01:00'))
  assert.equal(reminderAt('PT24H', day, defaults), at('2026-03-28T09:00:00+01:00'))
  assert.equal(reminderAt('P1D', day, utc), at('2026-03-28T10:00:00+02:00'))
  assert.equal(reminderAt('P1M', { at: at('2026-03-31T10:00:00Z'), date: null }, utc), at('2026-02-28T10:00:00Z'))
})

test('missed reminders fire once, for the latest of them, and the others stay ahead', () => {
  const many = { ...task, reminders: ['P1D', 'PT1H', 'PT15M', 'PT0S'], notifyAt: at('2026-11-30T10:00:00Z') }
  const fired = fire(many, defaults, at('2026-12-01T09:50:00Z'))
  assert.deepEqual(fired, {
    notification: { reminder: 'PT15M', dueAt: at('2026-12-01T09:45:00Z'), timing: 'late', latenessMs: 300_000 },
    firedUntilAt: at('2026-12-01T09:45:00Z'),
    notifyAt: at('2026-12-01T10:00:00Z'),
  })
})

test('on time means on the second; a reminder due as it was accepted is immediate', () => {
  const dueAt = at('2026-12-01T09:45:00Z')
  const armed = { ...task, notifyAt: dueAt }
  assert.equal(fire(armed, defaults, dueAt).notification?.timing, 'on_time')
  assert.equal(fire(armed, defaults, dueAt + 1_000).notification?.timing, 'on_time')
  assert.equal(fire(armed, defaults, dueAt + 1_001).notification?.timing, 'late')
  const acceptedAt = dueAt + 60_000
  const { notification } = fire({ ...task, notifyAt: acceptedAt }, defaults, acceptedAt + 3)
  assert.deepEqual([notification?.timing, notification?.latenessMs, notification?.dueAt], ['immediate', 3, dueAt])
})

test('an alarm for which nothing is due makes no notification', () => {
  assert.equal(fire({ ...task, notifyAt: 0 }, defaults, at('2026-12-01T09:00:00Z')).notification, null)
})

test('upcoming reminders are each instant once, in order, until the given end', () => {
  const many = { ...task, reminders: ['PT0S', 'P1D', 'PT24H', 'PT15M', at('2026-12-02T10:00:00Z')], notifyAt: 0 }
  const from = at('2026-11-30T09:00:00Z')
  const until = at('2026-12-02T10:00:00Z')
  assert.deepEqual(upcomingReminders(many, defaults, from, until), [
    { at: at('2026-11-30T10:00:00Z'), reminder: 'P1D' },
    { at: at('2026-12-01T09:45:00Z'), reminder: 'PT15M' },
    { at: at('2026-12-01T10:00:00Z'), reminder: 'PT0S' },
    { at: until, reminder: at('2026-12-02T10:00:00Z') },
  ])
  assert.equal(upcomingReminders(many, defaults, from, until - 1).length, 3)
  assert.deepEqual(upcomingReminders(many, defaults, from, from - 1), [])
})

test('due reminders will fire as one, now, for the latest of them; fired ones will not', () => {
  const many = { ...task, reminders: ['P1D', 'PT1H', 'PT15M', 'PT0S'], notifyAt: at('2026-11-30T10:00:00Z') }
  const from = at('2026-12-01T09:50:00Z')
  const last = { at: at('2026-12-01T10:00:00Z'), reminder: 'PT0S' }
  assert.deepEqual(upcomingReminders(many, defaults, from, from + 3_600_000), [{ at: from, reminder: 'PT15M' }, last])
  assert.deepEqual(upcomingReminders({ ...many, firedUntilAt: at('2026-12-01T09:45:00Z') }, defaults, from, last.at), [
    last,
  ])
  assert.deepEqual(upcomingReminders({ ...many, firedUntilAt: last.at }, defaults, from, last.at), [])
})

test('a snooze will fire too; a completed task, and one without an expiry, will not', () => {
  const from = at('2026-12-01T09:50:00Z')
  const napping = { ...task, firedUntilAt: at('2026-12-01T09:45:00Z'), snoozedUntilAt: from + 60_000 }
  const upcoming = (more: object) => upcomingReminders({ ...napping, ...more }, defaults, from, from + 3_600_000)
  assert.deepEqual(upcoming({}), [{ at: from + 60_000, reminder: 'snooze' }])
  assert.deepEqual(upcoming({ completedAt: from }), [])
  assert.deepEqual(upcoming({ expiryAt: null }), [])
})

for (const [text, expected] of [
  ['PT15M', { fixedMs: 900_000 }],
  ['PT0S', { fixedMs: 0 }],
  ['PT1.5S', { fixedMs: 1_500 }],
  ['PT36H', { fixedMs: 129_600_000 }],
  ['-PT15M', { fixedMs: -900_000 }],
] as const)
  test(`${text} is a lead of a fixed span`, () => assert.deepEqual(parseLead(text), expected))

for (const text of ['P1D', 'P2W', 'P1M', 'P10Y', 'P1DT2H', '-P1D'])
  test(`${text} is a lead in calendar units`, () => {
    const lead = parseLead(text)
    assert.ok(lead && 'calendar' in lead)
    assert.equal(lead.calendar.toString(), text)
  })

for (const text of ['', 'P', 'PT', 'P1', '15M', 'PT-15M', 'P11Y', 'P1000000Y', 'PT1e3M', 'P-1D', 'pt15m', ' PT15M'])
  test(`«${text}» is no lead`, () => assert.equal(parseLead(text), undefined))
