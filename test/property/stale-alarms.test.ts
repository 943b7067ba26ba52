import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endOfDay } from '#core/date-time.ts'
import { expiriesOf, fire, maxZoneShiftMs, nextReminder, reminderAt } from '#core/reminder.ts'
import { type AlarmTask, freshen } from '#core/stale-alarm.ts'

/**
 * Alarms whose defaults have changed: whichever process computes one first, and however often, the task fires as if the change had computed
 * it.
 */
const changedAt = Date.parse('2026-03-29T00:30:00Z') // half an hour before the start of summer time in Europe
const [minuteMs, dayMs] = [60_000, 86_400_000]

const zone = fc.constantFrom(
  'UTC',
  'Europe/Paris',
  'America/New_York',
  'Pacific/Apia',
  'Antarctica/Troll',
  'Asia/Kolkata',
)
const lead = fc.constantFrom(
  'PT0S',
  'PT5M',
  'PT15M',
  'PT1H',
  'P1D',
  'P2W',
  'P1M',
  'P3M',
  'P1Y',
  'P1Y1M',
  'P1DT2H',
  '-PT5M',
  '-P1D',
  'P1D@09:00',
  '-P2D@23:30',
)
const defaults = fc.record({
  reminders: fc.uniqueArray(lead, { maxLength: 4 }),
  dayReminders: fc.uniqueArray(lead, { maxLength: 4 }),
  dayTime: fc.constantFrom('00:00', '09:00', '23:59'),
  timeZone: zone,
})
const minutes = (from: number, to: number) => fc.integer({ min: from, max: to }).map((count) => count * minuteMs)

const stale = fc
  .record({
    old: defaults,
    before: minutes(-2_000, 60_000),
    notified: fc.option(minutes(-3_000, 0)),
    zone: fc.option(zone),
    isDay: fc.boolean(),
  })
  .map(({ old, before, notified, zone, isDay }): AlarmTask => {
    const at = Temporal.Instant.fromEpochMilliseconds(changedAt + before)
    const date = isDay ? at.toZonedDateTimeISO('UTC').toPlainDate().toString() : null
    const task = {
      id: 1,
      userId: 1,
      expiryAt: date === null ? at.epochMilliseconds : endOfDay(date, zone ?? old.timeZone),
      expiryDate: date,
      expiryWall: null,
      version: 1,
      timeZone: zone,
      reminders: null,
      completedAt: null,
      snoozedUntilAt: null,
      updatedAt: changedAt - 10 * dayMs,
      notifyAt: null,
      firedUntilAt: notified === null ? null : changedAt + notified,
    }
    return { ...task, notifyAt: nextReminder(task, old) }
  })

test('a stale alarm can be recomputed at any time with the same result', () => {
  fc.assert(
    fc.property(stale, defaults, minutes(0, 5_000), minutes(0, 5_000), (task, present, first, later) => {
      const settings = { defaults: present, staleSince: changedAt }
      const once = freshen(task, settings, changedAt + first)
      assert.equal(freshen(once, settings, changedAt + first + later).notifyAt, once.notifyAt)
      assert.equal(freshen(task, settings, changedAt).notifyAt, once.notifyAt)
    }),
    { numRuns: 2_000 },
  )
})

test('a task fires the same, whether the recompute has reached it never, once or twice', () => {
  fc.assert(
    fc.property(stale, defaults, minutes(0, 50_000), (task, present, later) => {
      const settings = { defaults: present, staleSince: changedAt }
      const now = changedAt + later
      const computed = freshen(task, settings, changedAt)
      const fires = (one: AlarmTask) => {
        const { notification, notifyAt } = fire(one, present, now)
        return { notification, notifyAt }
      }
      const expected = fires(computed)
      assert.deepEqual(fires(freshen(computed, settings, now)), expected)
      assert.deepEqual(fires(freshen(task, settings, now)), expected)
      // A later recompute does not change reminders that have fired.
      const fired = { ...task, ...fire(computed, present, now) }
      assert.equal(freshen(fired, settings, now).notifyAt, expected.notifyAt)
    }),
    { numRuns: 2_000 },
  )
})

test('the stored expiry range includes every task that is due between two instants, whatever the zone', () => {
  fc.assert(
    fc.property(lead, defaults, defaults, minutes(0, 2_000_000), minutes(0, 100), fc.boolean(), (...given) => {
      const [lead, here, there, after, span, isDay] = given
      const at = Temporal.Instant.fromEpochMilliseconds(changedAt + after)
      const date = isDay ? at.toZonedDateTimeISO('UTC').toPlainDate().toString() : null
      const expiryIn = ({ timeZone }: typeof here) =>
        date === null ? { at: at.epochMilliseconds, date } : { at: endOfDay(date, timeZone), date }
      const expiry = expiryIn(here)
      const dueAt = reminderAt(lead, expiry, here)
      const expiries = expiriesOf(lead, dueAt - 1 - span, dueAt + span, { isDay })
      assert.ok(expiry.at > expiries.after && expiry.at <= expiries.until)
      assert.ok(Math.abs(dueAt - reminderAt(lead, expiryIn(there), there)) <= maxZoneShiftMs)
    }),
    { numRuns: 5_000 },
  )
})
