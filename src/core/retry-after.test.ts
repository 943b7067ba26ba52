import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRetryAfter } from './retry-after.ts'

const now = Date.parse('2026-12-01T09:00:00Z')

test('Retry-After is seconds or a date (RFC 9110 section 10.2.3)', () => {
  assert.equal(parseRetryAfter('120', null, now), 120_000)
  assert.equal(parseRetryAfter('0', null, now), 0)
  assert.equal(parseRetryAfter('Tue, 01 Dec 2026 08:00:00 GMT', null, now), 0, 'in the past')
})

test('a date has one of the three formats of HTTP (RFC 9110 section 5.6.7)', () => {
  for (const date of ['Tue, 01 Dec 2026 09:00:30 GMT', 'Tuesday, 01-Dec-26 09:00:30 GMT', 'Tue Dec  1 09:00:30 2026'])
    assert.equal(parseRetryAfter(date, null, now), 30_000, date)
})

test('a date counts from the time at which the server says it responded (RFC 9110 section 6.6.1)', () => {
  const value = 'Tue, 01 Dec 2026 10:00:30 GMT'
  assert.equal(parseRetryAfter(value, 'Tue, 01 Dec 2026 10:00:00 GMT', now), 30_000)
  assert.equal(parseRetryAfter(value, 'today', now), 3_630_000)
})

test('any other value is ignored', () => {
  for (const value of [null, undefined, '', 'soon', '-1', '1.5', '1.5x', '7 s', '1e3', '2026-12-01', '9999999999'])
    assert.equal(parseRetryAfter(value, null, now), undefined, String(value))
})
