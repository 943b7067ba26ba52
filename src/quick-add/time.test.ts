import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTimeText } from './time.ts'

const options = { now: Date.parse('2026-12-01T10:00:00.250+01:00'), timeZone: 'Europe/Berlin', dayTime: '08:30' }

/** As core has them: an instant, or a local time with its zone. */
function read(text: string, language = 'en'): string | undefined {
  const input = parseTimeText(text, { ...options, language })
  if (!input) return undefined
  return 'at' in input ? new Date(input.at).toISOString() : `${input.local}[${input.timeZone}]`
}

test('a time in words, and a span alone counts from now', () => {
  for (const [text, expected, language] of [
    ['tomorrow 9am', '2026-12-02T09:00:00[Europe/Berlin]'],
    ['tonight', '2026-12-01T20:00:00[Europe/Berlin]'],
    ['until friday 7pm', '2026-12-04T19:00:00[Europe/Berlin]'],
    ['at 9', '2026-12-02T09:00:00[Europe/Berlin]'],
    ['tomorrow 9am Asia/Tokyo', '2026-12-02T09:00:00[Asia/Tokyo]'],
    ['friday', '2026-12-04T08:30:00[Europe/Berlin]'],
    ['in 20 minutes', '2026-12-01T09:20:00.000Z'],
    ['2h', '2026-12-01T11:00:00.000Z'],
    ['90 min', '2026-12-01T10:30:00.000Z'],
    ['1 hour 30 minutes', '2026-12-01T10:30:00.000Z'],
    ['3 days', '2026-12-04T08:30:00[Europe/Berlin]'],
    ['2 Stunden', '2026-12-01T11:00:00.000Z', 'de'],
    ['2 heures', '2026-12-01T11:00:00.000Z', 'fr'],
    ['2 horas', '2026-12-01T11:00:00.000Z', 'es'],
    ['2小时', '2026-12-01T11:00:00.000Z', 'zh'],
  ] as const)
    assert.equal(read(text, language), expected, text)
})

test('text that is more than a time, or none, is not read', () => {
  for (const text of ['', 'soon', 'call tomorrow', 'tomorrow #home', 'tomorrow !1', 'tomorrow ~1d', 'every day', '$&'])
    assert.equal(read(text), undefined, text)
  assert.equal(read('monday 4.12.2026', 'de'), undefined, 'a weekday that is not that of its date')
  assert.equal(read('monday or friday'), undefined, 'two dates')
})

test('a mistyped ISO time is not guessed', () => {
  for (const text of ['2026-13-01', '2026-1-5', '2027-02-30', '2026-12-01T25:00', ' 2027-W10-1'])
    assert.equal(read(text), undefined, text)
  assert.equal(read('x'.repeat(501)), undefined)
})
