import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cancelReason, escapeControls, formatSpan, kindAt, type Message, sentence } from './notification.ts'
import { newTask } from './task-changes.ts'

const expiryAt = Date.parse('2026-12-01T10:00:00Z')
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
const task = {
  id: 42,
  ...newTask({ title: 'Renew passport', expiry: { at: expiryAt } }, 1, 'uid', defaults, expiryAt - 3_600_000),
}
const notification = {
  id: 901,
  userId: 1,
  taskId: 42,
  kind: 'expiring' as const,
  reminder: 'PT15M',
  expiryAt,
  dueAt: expiryAt - 900_000,
  firedAt: expiryAt - 900_000,
  timing: 'on_time' as const,
  latenessMs: 0,
}
const message: Message = {
  deliveryId: 'id',
  attempt: 1,
  notification,
  task,
  kind: 'expiring',
  sentAt: notification.firedAt,
  timeZone: 'Europe/Paris',
  links: null,
  others: [],
}

test('the text is that of the original, and follows the time of sending', () => {
  assert.equal(
    sentence(message),
    'Your task (id:42,title:"Renew passport") will be expired at 2026-12-01T11:00:00+01:00!',
  )
  const afterwards = { ...message, sentAt: expiryAt }
  assert.equal(
    sentence(afterwards),
    'Your task (id:42,title:"Renew passport") is expired already at 2026-12-01T11:00:00+01:00!',
  )
})

test('the kind follows the time, and after a snooze is snooze', () => {
  assert.equal(kindAt('PT15M', expiryAt, expiryAt - 1), 'expiring')
  assert.equal(kindAt('PT15M', expiryAt, expiryAt), 'expired')
  assert.equal(kindAt(null, expiryAt, expiryAt - 1), 'snooze')
})

test('a title stays on its line, and cannot play tricks on a terminal', () => {
  const nasty = 'a\r\nb\x1b[31m\u202Ec\u2028d\u0085«é😀"'
  const line = sentence({ ...message, task: { ...task, title: nasty } })
  assert.equal(escapeControls(nasty), 'a\\u000d\\u000ab\\u001b[31m\\u202ec\\u2028d\\u0085«é😀"')
  assert.equal(line.split(/[\r\n\u2028\u0085]/).length, 1)
})

test('a notification is cancelled for a task that is completed, deleted, or expires at another time', () => {
  assert.equal(cancelReason(notification, task), null)
  assert.equal(cancelReason(notification, undefined), 'the task was deleted')
  assert.equal(cancelReason(notification, { ...task, completedAt: 1 }), 'the task was completed')
  assert.equal(cancelReason(notification, { ...task, expiryAt: null }), 'the expiry was cleared')
  assert.equal(cancelReason(notification, { ...task, expiryAt: expiryAt + 1 }), 'the expiry was moved')
})

for (const [ms, words] of [
  [12, '12 ms'],
  [59_999, '59 s'],
  [7_500_000, '2 h 5 min'],
  [3_600_000, '1 h'],
  [90_061_000, '1 d 1 h'],
] as const)
  test(`${ms} ms in words: ${words}`, () => assert.equal(formatSpan(ms), words))
