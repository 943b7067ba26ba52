import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rememberFired, restoreTask } from './alarm.ts'
import { Problem } from './problem.ts'
import { freshen } from './stale-alarm.ts'
import type { Task, TaskDraft } from './task.ts'
import { applyPatch, completeTask, newTask, reopenTask, snoozeTask } from './task-changes.ts'

const at = (text: string) => Date.parse(text)
const minute = 60_000
const hour = 60 * minute
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
const now = at('2026-12-01T09:00:00Z')
const expiry = (text: string) => ({ at: at(text) })

function create(draft: Partial<TaskDraft> = {}): Task {
  return { id: 1, ...newTask({ title: 'Renew passport', ...draft }, 1, 'uid', defaults, now) }
}

describe('the alarm follows', () => {
  test('a new task fires 15 minutes before its expiry', () => {
    assert.equal(create({ expiry: expiry('2026-12-01T10:00:00Z') }).notifyAt, at('2026-12-01T09:45:00Z'))
  })

  test('a task that expires within 15 minutes, or has expired, fires at once', () => {
    assert.equal(create({ expiry: expiry('2026-12-01T09:15:00Z') }).notifyAt, now)
    assert.equal(create({ expiry: expiry('2026-12-01T09:01:00Z') }).notifyAt, now)
    assert.equal(create({ expiry: expiry('2020-01-01T00:00:00Z') }).notifyAt, now)
  })

  test('moving the expiry moves it, clearing the expiry cancels it', () => {
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z') })
    const moved = applyPatch(task, { expiry: expiry('2026-12-01T12:00:00Z') }, defaults, now)
    assert.equal(moved.notifyAt, at('2026-12-01T11:45:00Z'))
    assert.equal(applyPatch(moved, { expiry: null }, defaults, now).notifyAt, null)
  })

  test('moving the expiry of a task that has fired arms it again', () => {
    const fired = { ...create({ expiry: expiry('2026-12-01T10:00:00Z') }), notifyAt: null, firedUntilAt: now }
    const moved = applyPatch(fired, { expiry: expiry('2026-12-01T12:00:00Z') }, defaults, now)
    assert.deepEqual([moved.firedUntilAt, moved.notifyAt], [null, at('2026-12-01T11:45:00Z')])
  })

  test('moving it back to an expiry that has fired does not fire it twice', () => {
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z'), reminders: ['PT15M', 'PT5M'] })
    const back = rememberFired(task, at('2026-12-01T09:45:00Z'), defaults, at('2026-12-01T09:46:00Z'))
    assert.equal(back.notifyAt, at('2026-12-01T09:55:00Z'))
  })

  test('the title changes nothing about it', () => {
    const fired = {
      ...create({ expiry: expiry('2026-12-01T10:00:00Z') }),
      notifyAt: null,
      firedUntilAt: at('2026-12-01T09:45:00Z'),
    }
    const renamed = applyPatch(fired, { title: 'Passport' }, defaults, now + hour)
    assert.deepEqual([renamed.notifyAt, renamed.firedUntilAt], [null, fired.firedUntilAt])
  })

  test('a reminder added in the past does not fire after the expiry has fired, and does before', () => {
    const later = at('2026-12-01T09:50:00Z')
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z'), reminders: ['PT2M'] })
    assert.equal(applyPatch(task, { reminders: ['PT30M', 'PT2M'] }, defaults, later).notifyAt, later)
    const fired = { ...task, firedUntilAt: at('2026-12-01T09:45:00Z') }
    assert.equal(
      applyPatch(fired, { reminders: ['PT30M', 'PT2M'] }, defaults, later).notifyAt,
      at('2026-12-01T09:58:00Z'),
    )
  })

  test('an edit just before a due reminder fires loses nothing', () => {
    const dueAt = at('2026-12-01T09:45:00Z')
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z'), reminders: ['PT30M', 'PT15M'] })
    const due = { ...task, firedUntilAt: at('2026-12-01T09:30:00Z'), notifyAt: dueAt }
    assert.equal(applyPatch(due, { reminders: ['PT30M', 'PT15M', 'PT1M'] }, defaults, dueAt + 5).notifyAt, dueAt)
  })

  test('completing and moving end a snooze', () => {
    const task = snoozeTask(
      create({ expiry: expiry('2026-12-01T09:05:00Z') }),
      { at: now + hour },
      '/until',
      defaults,
      now,
    )
    assert.equal(task.snoozedUntilAt, now + hour)
    assert.equal(completeTask(task, defaults, now).snoozedUntilAt, null)
    assert.equal(applyPatch(task, { expiry: expiry('2026-12-02T09:00:00Z') }, defaults, now).snoozedUntilAt, null)
    assert.equal(applyPatch(task, { title: 'x' }, defaults, now).snoozedUntilAt, now + hour)
  })

  test('a completed task has none; reopened, it fires for what has not fired', () => {
    const done = completeTask(create({ expiry: expiry('2026-12-01T10:00:00Z') }), defaults, now)
    assert.deepEqual([done.notifyAt, done.completedAt], [null, now])
    assert.equal(reopenTask(done, defaults, now + minute).notifyAt, at('2026-12-01T09:45:00Z'))
    const late = now + 50 * minute
    assert.equal(reopenTask(done, defaults, late).notifyAt, late)
    const fired = { ...done, firedUntilAt: at('2026-12-01T09:45:00Z') }
    assert.equal(reopenTask(fired, defaults, late).notifyAt, null)
  })

  const changed = (reminders: string[], staleSince: number | null) => ({
    defaults: { ...defaults, reminders },
    staleSince,
  })

  test('other defaults move the alarms of tasks that follow them, and do not count as a change of the task', () => {
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z') })
    const moved = freshen(task, changed(['PT5M'], now), now)
    assert.deepEqual([moved.notifyAt, moved.version], [at('2026-12-01T09:55:00Z'), 1])
    const fired = { ...task, notifyAt: null, firedUntilAt: at('2026-12-01T09:45:00Z') }
    assert.equal(freshen(fired, changed(['PT1H'], now + 50 * minute), now + 50 * minute).notifyAt, null)
  })
})

describe('a patch', () => {
  test('changes the members given, keeps the others, and counts', () => {
    const task = create({ description: 'Two photos', tags: ['home'] })
    const after = applyPatch(task, { title: 'Passport' }, defaults, now + 5)
    assert.deepEqual(after, { ...task, title: 'Passport', version: 2, updatedAt: now + 5 })
  })

  test('that changes nothing is none: the very same task', () => {
    const task = create({ expiry: expiry('2026-12-01T10:00:00Z'), tags: ['a'], reminders: ['PT5M'] })
    assert.equal(
      applyPatch(task, { expiry: expiry('2026-12-01T10:00:00Z'), tags: ['a'], reminders: ['PT5M'] }, defaults, now),
      task,
    )
    assert.equal(reopenTask(task, defaults, now), task)
    const done = completeTask(task, defaults, now)
    assert.equal(completeTask(done, defaults, now + 5), done)
  })

  test('reads a local time in the zone it brings, or has, or the default one', () => {
    const local = Temporal.PlainDateTime.from('2026-12-01T10:00')
    assert.equal(create({ expiry: { local } }).expiryAt, at('2026-12-01T09:00:00Z'))
    assert.equal(create({ expiry: { local }, timeZone: 'America/New_York' }).expiryAt, at('2026-12-01T15:00:00Z'))
    const there = create({ expiry: { local, timeZone: 'Asia/Tokyo' } })
    assert.deepEqual([there.expiryAt, there.timeZone], [at('2026-12-01T01:00:00Z'), 'Asia/Tokyo'])
  })

  test('is refused with every fault at once', () => {
    const refused = () =>
      create({ title: '', timeZone: 'Mars/Olympus', tags: ['a', 'a'], reminders: ['tomorrow'], key: 'x'.repeat(201) })
    assert.throws(refused, (error: unknown) => {
      assert.ok(error instanceof Problem)
      const pointers = error.extras.faults?.map(({ at }) => ('pointer' in at ? at.pointer : ''))
      assert.deepEqual(pointers, ['/title', '/key', '/tags', '/time_zone', '/reminders/0'])
      return error.kind === 'invalid'
    })
  })

  test('is refused where a zone and a suffix contradict each other', () => {
    const local = Temporal.PlainDateTime.from('2026-12-01T10:00')
    assert.throws(() => create({ expiry: { local, timeZone: 'Asia/Tokyo' }, timeZone: 'UTC' }), Problem)
  })
})

describe('a snooze', () => {
  test('must lie ahead, on an open task with an expiry', () => {
    const task = create({ expiry: expiry('2026-12-01T09:05:00Z') })
    const kindOf = (action: () => unknown) => {
      try {
        action()
      } catch (error) {
        return (error as Problem).kind
      }
      return 'none'
    }
    assert.equal(
      kindOf(() => snoozeTask(task, { at: now }, '/until', defaults, now)),
      'invalid',
    )
    assert.equal(
      kindOf(() => snoozeTask(completeTask(task, defaults, now), { at: now + 1 }, '/until', defaults, now)),
      'conflict',
    )
    assert.equal(
      kindOf(() => snoozeTask(create(), { at: now + 1 }, '/until', defaults, now)),
      'conflict',
    )
  })
})

describe('a task that comes back from the trash', () => {
  const trashed = (draft: Partial<TaskDraft>, more: Partial<Task> = {}): Task => ({
    ...create(draft),
    ...more,
    notifyAt: null,
  })
  const later = now + 2 * hour

  test('is another version, changed now, and otherwise what it was', () => {
    const task = trashed({ expiry: expiry('2026-12-24T10:00:00Z'), key: 'k', tags: ['a'] }, { version: 7 })
    const { version, updatedAt, notifyAt, ...rest } = restoreTask(task, defaults, later)
    assert.deepEqual([version, updatedAt, notifyAt], [8, later, at('2026-12-24T09:45:00Z')])
    const { version: _, updatedAt: __, notifyAt: ___, ...before } = task
    assert.deepEqual(rest, before)
  })

  test('fires once, at once, for all that came due meanwhile; reminders ahead stay', () => {
    const reminders = ['PT4H', 'PT3H', 'PT15M']
    const task = trashed({ expiry: expiry('2026-12-01T13:30:00Z'), reminders })
    const back = restoreTask(task, defaults, later) // 11:00; due were 9:30 and 10:30
    assert.equal(back.notifyAt, later)
    const fired = restoreTask({ ...task, firedUntilAt: at('2026-12-01T10:30:00Z') }, defaults, later)
    assert.equal(fired.notifyAt, at('2026-12-01T13:15:00Z'), 'a fired reminder stays fired')
  })

  test('does not fire again for a fired reminder, when it is completed, or without an expiry', () => {
    const expired = { expiry: expiry('2026-12-01T10:00:00Z') }
    const firedUntilAt = at('2026-12-01T09:45:00Z')
    assert.equal(restoreTask(trashed(expired, { firedUntilAt }), defaults, later).notifyAt, null)
    assert.equal(restoreTask(trashed(expired, { completedAt: now }), defaults, later).notifyAt, null)
    assert.equal(restoreTask(trashed({}), defaults, later).notifyAt, null)
  })

  test('fires for a snooze that ended meanwhile', () => {
    const firedUntilAt = at('2026-12-01T09:45:00Z')
    const task = trashed({ expiry: expiry('2026-12-01T10:00:00Z') }, { firedUntilAt, snoozedUntilAt: now + hour })
    assert.equal(restoreTask(task, defaults, later).notifyAt, later)
  })
})
