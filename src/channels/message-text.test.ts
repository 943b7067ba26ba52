import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageAbout } from '#test/channels/messages.ts'
import { oneLine, plainText, toMessageText, truncate } from './message-text.ts'

test('a message says what expires, when, and how late it is', () => {
  const { subject, entries, urgency } = toMessageText(
    messageAbout({ title: 'Renew passport', description: 'Two photos' }),
  )
  assert.equal(subject, 'Renew passport expires in 15 min')
  assert.equal(entries[0].when, 'Tue, 1 Dec 2026, 10:00 (Europe/Paris)')
  assert.equal(entries[0].late, null)
  assert.equal(urgency, 'normal')
  assert.equal(plainText(toMessageText(messageAbout({ description: 'Two photos' }))).split('\n')[1], 'Two photos')
})

test('after the expiry it says so, and is urgent', () => {
  const late = toMessageText(messageAbout({}, { sentMs: 2 * 3_600_000, timing: 'late' }))
  assert.match(late.subject, /expired 1 h 45 min ago$/)
  assert.equal(late.entries[0].late, 'This notification is 2 h late.')
  assert.equal(late.urgency, 'high')
  assert.match(toMessageText(messageAbout({}, { sentMs: 15 * 60_000 })).subject, /expires now$/)
})

test('several tasks are one message', () => {
  const others = ['B', 'C', 'D'].map((title) => messageAbout({ title }))
  const messageText = toMessageText({ ...messageAbout({ title: 'A' }), others })
  assert.equal(messageText.subject, '4 tasks: A, B, C, …')
  assert.equal(messageText.entries.length, 4)
  assert.equal(plainText(messageText).split('\n\n').length, 4)
})

test('a title stays one line and changes no reading direction', () => {
  assert.equal(oneLine('a\r\nBcc: x\u0085y\u2028z\t\u001b[31mred\u202e'), 'a Bcc: x y z [31mred')
  assert.equal(oneLine('日本 🎉 "quoted" <b>'), '日本 🎉 "quoted" <b>')
})

test('text is truncated between characters', () => {
  assert.equal(truncate('abc', 3), 'abc')
  assert.equal(truncate('abcd', 3), 'ab…')
  assert.equal(truncate('a🎉🎉', 4), 'a🎉…')
  assert.equal(truncate('a🎉🎉', 3), 'a…')
})

for (const [sentAt, state] of [
  ['2027-02-26T09:00:00Z', 'expires in 3 days'],
  ['2027-02-28T23:30:00Z', 'expires today'], // half past midnight in Paris
  ['2027-02-28T09:00:00Z', 'expires tomorrow'],
  ['2027-03-02T09:00:00Z', 'expired yesterday'],
  ['2027-03-04T09:00:00Z', 'expired 3 days ago'],
] as const)
  test(`a whole day ${state}, and names no hour`, () => {
    const about = messageAbout({ title: 'Passport', expiry: null, expiryDate: '2027-03-01' })
    const message = { ...about, sentAt: Date.parse(sentAt) }
    const { subject, entries } = toMessageText(message)
    assert.equal(subject, `Passport ${state}`)
    assert.equal(entries[0].when, 'Mon, 1 Mar 2027')
  })
