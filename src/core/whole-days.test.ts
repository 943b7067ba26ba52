import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { endOfDay, instantOfWallTime, wallTimeOf } from './date-time.ts'
import { cancelReason, type Notification, sentence } from './notification.ts'
import { Problem } from './problem.ts'
import { expiriesOf, nextReminder, reminderAt, upcomingReminders } from './reminder.ts'
import { freshen } from './stale-alarm.ts'
import type { Task, TaskDraft } from './task.ts'
import { applyPatch, newTask } from './task-changes.ts'

const at = (text: string) => Date.parse(text)
const now = at('2026-12-01T09:00:00Z')
const paris = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
const tokyo = { ...paris, timeZone: 'Asia/Tokyo' }
const create = (draft: Partial<TaskDraft>, defaults = paris): Task => ({
  id: 1,
  ...newTask({ title: 'Passport', ...draft }, 1, 'uid', defaults, now),
})
const day = create({ expiryDate: '2027-03-01' })

describe('a task that expires on a day', () => {
  test('expires with the last second of that day in its zone', () => {
    assert.equal(day.expiryAt, at('2027-03-01T23:59:59+01:00'))
    assert.equal(create({ expiryDate: '2027-03-01', timeZone: 'Asia/Tokyo' }).expiryAt, at('2027-03-01T23:59:59+09:00'))
    assert.equal(create({ expiryDate: '2027-03-01', timeZone: 'UTC' }).expiryAt, at('2027-03-01T23:59:59Z'))
  })

  test('reminds at the time of day of its user, that morning', () => {
    assert.equal(day.notifyAt, at('2027-03-01T09:00:00+01:00'))
    assert.equal(
      create({ expiryDate: '2027-03-01' }, { ...paris, dayTime: '07:30' }).notifyAt,
      at('2027-03-01T07:30:00+01:00'),
    )
    assert.equal(create({ expiryDate: '2027-03-01' }, { ...paris, dayReminders: [] }).notifyAt, null)
  })

  test('counts its own leads from that time as well', () => {
    const reminders = ['P1D', 'PT15M', 'PT0S', '-P1D']
    const found = upcomingReminders({ ...day, reminders }, paris, now, at('2027-04-01T00:00:00Z'))
    assert.deepEqual(
      found.map(({ at }) => at),
      [
        at('2027-02-28T09:00:00+01:00'),
        at('2027-03-01T08:45:00+01:00'),
        at('2027-03-01T09:00:00+01:00'),
        at('2027-03-02T09:00:00+01:00'),
      ],
    )
  })

  test('that no clock shows ends as the day before it: Apia had no 30 December 2011', () => {
    assert.equal(endOfDay('2011-12-30', 'Pacific/Apia'), at('2011-12-29T23:59:59-10:00'))
  })

  test('ends an hour earlier or later where the clocks change', () => {
    assert.equal(endOfDay('2026-03-29', 'Europe/Paris') - endOfDay('2026-03-28', 'Europe/Paris'), 23 * 3_600_000)
    // São Paulo's clocks went forward at midnight: 4 November 2018 began at 01:00.
    assert.equal(endOfDay('2018-11-03', 'America/Sao_Paulo'), at('2018-11-03T23:59:59-03:00'))
  })

  for (const text of ['2027-02-29', '2027-13-01', '2027-3-1', '2027-03-01T09:00', '20270301', '0000-01-01', ''])
    test(`«${text}» is no day`, () => {
      assert.throws(
        () => create({ expiryDate: text || ' ' }),
        (error) => error instanceof Problem && /\/expiry_date/.test(JSON.stringify(error.extras.faults)),
      )
    })
})

describe('a task expires on a day or at a time, as it was written last', () => {
  const expiry = { at: at('2027-03-05T10:00:00Z') }
  const of = ({ expiryAt, expiryDate }: Task) => [expiryAt, expiryDate]

  test('a time replaces the day, and a day the time', () => {
    const timed = applyPatch(day, { expiry }, paris, now)
    assert.deepEqual(of(timed), [expiry.at, null])
    assert.equal(timed.notifyAt, expiry.at - 15 * 60_000)
    assert.deepEqual(of(applyPatch(timed, { expiryDate: '2027-03-01' }, paris, now)), [day.expiryAt, '2027-03-01'])
  })

  test('null for either clears the expiry of a day; null for the day alone leaves a time as it is', () => {
    assert.deepEqual(of(applyPatch(day, { expiryDate: null }, paris, now)), [null, null])
    assert.deepEqual(of(applyPatch(day, { expiry: null }, paris, now)), [null, null])
    assert.deepEqual(of(applyPatch(create({ expiry }), { expiryDate: null }, paris, now)), [expiry.at, null])
  })

  test('what was read can be written back: the end of the day beside the day', () => {
    const echo = { expiry: { at: day.expiryAt as number }, expiryDate: '2027-03-01' }
    assert.equal(applyPatch(day, echo, paris, now), day)
    assert.equal(applyPatch(day, { expiry: { at: day.expiryAt as number } }, paris, now), day)
    assert.equal(applyPatch(day, { ...echo, expiryDate: '2027-03-02' }, paris, now).expiryDate, '2027-03-02')
    assert.deepEqual(of(applyPatch(day, { expiry, expiryDate: null }, paris, now)), [expiry.at, null])
  })

  test('two that disagree are refused', () => {
    assert.throws(() => create({ expiry, expiryDate: '2027-03-01' }), /expiry_dt/)
    assert.throws(() => applyPatch(day, { expiry, expiryDate: '2027-03-01' }, paris, now), /expiry_dt/)
  })
})

describe('a move of the user to another zone', () => {
  const moved = { defaults: tokyo, staleSince: now }

  test('moves the end of the day, and its reminders', () => {
    const fresh = freshen(day, moved, now + 1)
    assert.equal(fresh.expiryAt, at('2027-03-01T23:59:59+09:00'))
    assert.equal(fresh.notifyAt, at('2027-03-01T09:00:00+09:00'))
    assert.equal(fresh.expiryDate, '2027-03-01')
    assert.equal(freshen(fresh, moved, now + 2).notifyAt, fresh.notifyAt)
  })

  test('moves nothing of a task with a zone or with a time of its own', () => {
    const own = create({ expiryDate: '2027-03-01', timeZone: 'Europe/Paris' })
    assert.equal(freshen(own, moved, now + 1).expiryAt, own.expiryAt)
    const timed = create({ expiry: { local: Temporal.PlainDateTime.from('2027-03-01T09:00') } })
    assert.equal(freshen(timed, moved, now + 1).expiryAt, timed.expiryAt)
  })

  test('fires a reminder again only where its time is still ahead', () => {
    const firedAt = at('2027-03-01T09:00:00+01:00')
    const fired = { ...day, notifyAt: null, firedUntilAt: firedAt }
    const later = { defaults: { ...paris, timeZone: 'America/New_York' }, staleSince: firedAt + 60_000 }
    // In New York it is three at night: the morning of that day is ahead. In Tokyo it has passed.
    const fresh = freshen({ ...fired, updatedAt: now }, later, firedAt + 60_001)
    assert.equal(fresh.expiryAt, at('2027-03-01T23:59:59-05:00'))
    assert.equal(fresh.notifyAt, at('2027-03-01T09:00:00-05:00'))
    const zoned = applyPatch(fired, { timeZone: 'Asia/Tokyo' }, paris, firedAt + 60_000)
    assert.deepEqual([zoned.expiryAt, zoned.notifyAt], [at('2027-03-01T23:59:59+09:00'), null])
  })
})

describe('wall time', () => {
  test('is kept with the zone that it was written in', () => {
    const local = Temporal.PlainDateTime.from('2027-03-01T09:00')
    assert.equal(wallTimeOf({ local }, 'Europe/Paris'), '2027-03-01T09:00:00[Europe/Paris]')
    assert.equal(wallTimeOf({ local, timeZone: 'Asia/Tokyo' }, 'Europe/Paris'), '2027-03-01T09:00:00[Asia/Tokyo]')
    assert.equal(wallTimeOf({ at: now, timeZone: 'Asia/Tokyo' }, 'UTC'), '2026-12-01T18:00:00[Asia/Tokyo]')
    assert.equal(wallTimeOf({ at: now }, 'Europe/Paris'), null)
    assert.equal(instantOfWallTime('2027-03-01T09:00:00[Europe/Paris]'), at('2027-03-01T09:00:00+01:00'))
  })

  test('moves the instant when the rules of its zone have changed since it was stored', () => {
    const stored = create({ expiry: { local: Temporal.PlainDateTime.from('2027-07-01T09:00') } })
    // As if the zone had had no summer time when it was stored.
    const earlier = { ...stored, expiryAt: at('2027-07-01T09:00:00+01:00'), notifyAt: at('2027-07-01T08:45:00+01:00') }
    const fresh = freshen(earlier, { defaults: paris, staleSince: now }, now)
    assert.deepEqual([fresh.expiryAt, fresh.notifyAt], [stored.expiryAt, stored.notifyAt])
  })

  test('stays when the same instant is written back', () => {
    const task = create({ expiry: { local: Temporal.PlainDateTime.from('2027-03-01T09:00') } })
    const echo = { expiry: { at: task.expiryAt as number } }
    assert.equal(applyPatch(task, echo, paris, now), task)
    assert.equal(applyPatch(task, { expiry: { at: now } }, paris, now).expiryWall, null)
  })
})

describe('reminders at a time of day', () => {
  const timed = { at: at('2027-03-10T18:30:00+01:00'), date: null }

  test('fire days before, at that time, for both kinds of expiry', () => {
    assert.equal(reminderAt('P7D@09:00', timed, paris), at('2027-03-03T09:00:00+01:00'))
    assert.equal(reminderAt('P0D@08:00', timed, paris), at('2027-03-10T08:00:00+01:00'))
    const whole = { at: day.expiryAt as number, date: '2027-03-01' }
    assert.equal(reminderAt('P7D@18:00', whole, paris), at('2027-02-22T18:00:00+01:00'))
    assert.equal(reminderAt('P1M@09:00', { ...whole, date: '2027-03-31' }, paris), at('2027-02-28T09:00:00+01:00'))
  })

  test('fire at the moved time where the clocks skip it (RFC 5545, section 3.3.5)', () => {
    const expiry = { at: at('2026-03-30T12:00:00+02:00'), date: null }
    assert.equal(reminderAt('P1D@02:30', expiry, paris), at('2026-03-29T03:30:00+02:00'))
  })

  test('after the expiry have a minus', () => {
    assert.equal(reminderAt('-P1D', timed, paris), at('2027-03-11T18:30:00+01:00'))
    assert.equal(reminderAt('-PT1H', timed, paris), timed.at + 3_600_000)
    assert.equal(reminderAt('-P1D@09:00', timed, paris), at('2027-03-11T09:00:00+01:00'))
    const task = create({ expiry: { at: timed.at }, reminders: ['-P1D'] })
    assert.equal(nextReminder(task, paris), at('2027-03-11T18:30:00+01:00'))
  })

  test('are found by the range of their expiries', () => {
    for (const lead of ['P7D@09:00', 'P0D@23:59', '-P1D@00:00', '-P1M', 'P1Y', 'PT15M', '-PT90M'])
      for (const date of [null, '2027-03-01'])
        for (const timeZone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Paris']) {
          const expiry = date ? { at: endOfDay(date, timeZone), date } : { at: at('2027-03-10T18:30:00+01:00'), date }
          const fires = reminderAt(lead, expiry, { timeZone, dayTime: '00:00' })
          const range = expiriesOf(lead, fires - 1, fires, { isDay: date !== null })
          assert.ok(range.after < expiry.at && expiry.at <= range.until, `${lead} ${date} ${timeZone}`)
        }
  })

  for (const text of ['PT1H@09:00', 'P1DT1H@09:00', 'P@09:00', 'P1D@9:00', 'P1D@24:00', 'P1D@', 'P-1D', '-P11Y'])
    test(`«${text}» is refused, with what is allowed`, () => {
      assert.throws(() => create({ reminders: [text] }), /P7D@09:00/)
    })
})

describe('the text of a day', () => {
  const notification = { id: 1, taskId: 1, expiryAt: day.expiryAt } as Notification

  test('names the day and no hour', () => {
    const input = { task: day, notification, sentAt: now, timeZone: 'Europe/Paris' }
    assert.equal(sentence(input), 'Your task (id:1,title:"Passport") will be expired on 2027-03-01!')
    const after = { ...input, sentAt: (day.expiryAt as number) + 1 }
    assert.equal(sentence(after), 'Your task (id:1,title:"Passport") is expired already on 2027-03-01!')
  })

  test('is cancelled once the day is another', () => {
    assert.equal(cancelReason(notification, day), null)
    assert.equal(
      cancelReason(notification, applyPatch(day, { expiryDate: '2027-03-02' }, paris, now)),
      'the expiry was moved',
    )
  })
})
