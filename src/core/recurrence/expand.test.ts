import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type After, checkHappens, nextOccurrence, occurrences, type Series } from './expand.ts'
import { parseRule, RuleError } from './rule.ts'

const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds
const time = (text: string) => Temporal.PlainDateTime.from(text)
const day = (text: string) => Temporal.PlainDate.from(text)
const series = (rule: string, start: string, timeZone = 'UTC'): Series => ({
  rule: parseRule(rule),
  start: start.includes('T') ? time(start) : day(start),
  timeZone,
})

/** Wall time and what the clocks show then, where they differ. */
function firsts(rule: string, start: string, timeZone: string, limit: number, after?: After): string[] {
  return occurrences(series(rule, start, timeZone), { limit, ...(after && { after }) }).map(({ local, at }) => {
    const shown = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
    return `${local.toString().slice(5, 16)} ${shown.toString().slice(5, 16)}${shown.offset}`
  })
}

test('Paris: a time that spring skips is an hour later on that day, and in autumn the first of two counts', () => {
  assert.deepEqual(firsts('FREQ=DAILY', '2026-03-28T02:30', 'Europe/Paris', 3), [
    '03-28T02:30 03-28T02:30+01:00',
    '03-29T02:30 03-29T03:30+02:00',
    '03-30T02:30 03-30T02:30+02:00',
  ])
  assert.deepEqual(firsts('FREQ=DAILY', '2026-10-24T02:30', 'Europe/Paris', 3), [
    '10-24T02:30 10-24T02:30+02:00',
    '10-25T02:30 10-25T02:30+02:00',
    '10-26T02:30 10-26T02:30+01:00',
  ])
})

test('New York: the same, weekly', () => {
  assert.deepEqual(firsts('FREQ=WEEKLY', '2026-03-01T02:30', 'America/New_York', 3), [
    '03-01T02:30 03-01T02:30-05:00',
    '03-08T02:30 03-08T03:30-04:00',
    '03-15T02:30 03-15T02:30-04:00',
  ])
  assert.deepEqual(firsts('FREQ=WEEKLY', '2026-10-25T01:30', 'America/New_York', 2), [
    '10-25T01:30 10-25T01:30-04:00',
    '11-01T01:30 11-01T01:30-04:00',
  ])
})

test('Lord Howe: clocks move by half an hour', () => {
  assert.deepEqual(firsts('FREQ=DAILY', '2026-10-03T02:15', 'Australia/Lord_Howe', 3), [
    '10-03T02:15 10-03T02:15+10:30',
    '10-04T02:15 10-04T02:45+11:00',
    '10-05T02:15 10-05T02:15+11:00',
  ])
  assert.deepEqual(firsts('FREQ=DAILY', '2026-04-04T01:45', 'Australia/Lord_Howe', 3), [
    '04-04T01:45 04-04T01:45+11:00',
    '04-05T01:45 04-05T01:45+11:00',
    '04-06T01:45 04-06T01:45+10:30',
  ])
})

test('São Paulo until 2019: spring skipped midnight, so the day began at one', () => {
  assert.deepEqual(firsts('FREQ=DAILY', '2018-11-03T00:00', 'America/Sao_Paulo', 3), [
    '11-03T00:00 11-03T00:00-03:00',
    '11-04T00:00 11-04T01:00-02:00',
    '11-05T00:00 11-05T00:00-02:00',
  ])
  assert.deepEqual(firsts('FREQ=DAILY', '2018-11-02', 'America/Sao_Paulo', 2), [
    '11-02 11-03T00:00-03:00',
    '11-03 11-04T01:00-02:00',
  ])
  assert.deepEqual(firsts('FREQ=DAILY', '2019-02-16T23:30', 'America/Sao_Paulo', 2), [
    '02-16T23:30 02-16T23:30-02:00',
    '02-17T23:30 02-17T23:30-03:00',
  ])
})

test('Apia had no 30 December 2011: what falls on it is one with the day after', () => {
  const expected = ['12-29T09:00 12-29T09:00-10:00', '12-30T09:00 12-31T09:00+14:00', '01-01T09:00 01-01T09:00+14:00']
  assert.deepEqual(firsts('FREQ=DAILY', '2011-12-29T09:00', 'Pacific/Apia', 3), expected)
  assert.deepEqual(
    firsts('FREQ=DAILY', '2011-12-29T09:00', 'Pacific/Apia', 1, { local: time('2011-12-30T09:00') }),
    expected.slice(2),
  )
  assert.deepEqual(
    firsts('FREQ=DAILY', '2011-12-29T09:00', 'Pacific/Apia', 1, { at: at('2011-12-30T18:59:59Z') }),
    expected.slice(1, 2),
  )
  // 29 December ended at the first instant of the 31st. The 30th would have ended then as well.
  assert.deepEqual(firsts('FREQ=DAILY', '2011-12-28', 'Pacific/Apia', 3), [
    '12-28 12-29T00:00-10:00',
    '12-29 12-31T00:00+14:00',
    '12-31 01-01T00:00+14:00',
  ])
})

const dates = (rule: string, start: string, limit: number) =>
  occurrences(series(rule, start), { limit }).map(({ local }) => local.toString().slice(0, 10))

test('29 February: only leap years have it, 1900 and 2100 not', () => {
  assert.deepEqual(dates('FREQ=YEARLY', '2024-02-29', 3), ['2024-02-29', '2028-02-29', '2032-02-29'])
  assert.deepEqual(dates('FREQ=YEARLY', '2092-02-29', 3), ['2092-02-29', '2096-02-29', '2104-02-29'])
  assert.deepEqual(dates('FREQ=YEARLY;INTERVAL=4', '1896-02-29', 3), ['1896-02-29', '1904-02-29', '1908-02-29'])
})

test('the last day of every month', () => {
  const ends = ['2027-12-31', '2028-01-31', '2028-02-29', '2028-03-31', '2028-04-30']
  assert.deepEqual(dates('FREQ=MONTHLY;BYMONTHDAY=-1', '2027-12-31', 5), ends)
  assert.deepEqual(dates('FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=BACKWARD', '2027-12-31', 5), ends)
})

test('SKIP: the 31st of a shorter month is left out, is its last day, or is the first of the next (RFC 7529)', () => {
  const on31 = (skip: string) => dates(`FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=${skip}`, '2026-01-31', 4)
  assert.deepEqual(on31('OMIT'), ['2026-01-31', '2026-03-31', '2026-05-31', '2026-07-31'])
  assert.deepEqual(on31('BACKWARD'), ['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30'])
  assert.deepEqual(on31('FORWARD'), ['2026-01-31', '2026-03-01', '2026-03-31', '2026-05-01'])
  const yearly = (skip: string) => dates(`FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=${skip}`, '2024-02-29', 3)
  assert.deepEqual(yearly('BACKWARD'), ['2024-02-29', '2025-02-28', '2026-02-28'])
  assert.deepEqual(yearly('FORWARD'), ['2024-02-29', '2025-03-01', '2026-03-01'])
})

test('SKIP with several days moves each, and a day that two stand for is there once', () => {
  // rrule-temporal 2.2.8 leaves out 28 February and 1 March here.
  const on = (days: string, skip: string) =>
    dates(`FREQ=MONTHLY;BYMONTHDAY=${days};RSCALE=GREGORIAN;SKIP=${skip}`, '2026-02-01', 4)
  assert.deepEqual(on('15,30,31', 'BACKWARD'), ['2026-02-15', '2026-02-28', '2026-03-15', '2026-03-30'])
  assert.deepEqual(dates('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;RSCALE=GREGORIAN;SKIP=FORWARD', '2015-02-01', 5), [
    '2015-02-28',
    '2015-03-01',
    '2016-02-28',
    '2016-02-29',
    '2017-02-28',
  ])
  assert.deepEqual(on('1,30,31', 'FORWARD'), ['2026-02-01', '2026-03-01', '2026-03-30', '2026-03-31'])
})

test('SKIP=FORWARD: the first of a month is found from that day on, and has one position in the year', () => {
  const monthly = series('FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=FORWARD', '2026-01-31')
  assert.equal(nextOccurrence(monthly, { local: day('2026-02-28') })?.local.toString(), '2026-03-01')
  const yearly = 'FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=1,31;BYSETPOS=2,3;RSCALE=GREGORIAN;SKIP=FORWARD'
  assert.deepEqual(dates(yearly, '2026-01-01', 3), ['2026-03-01', '2026-03-31', '2027-03-01'])
})

test('BYDAY of a year may mix numbers and plain weekdays', () => {
  // rrule-temporal 2.2.8 finds the numbered ones alone.
  assert.deepEqual(dates('FREQ=YEARLY;BYDAY=TH,2MO', '2026-01-01', 4), [
    ...['2026-01-01', '2026-01-08', '2026-01-12', '2026-01-15'],
  ])
})

test('UNTIL in UTC is an instant, and includes it', () => {
  const on = (until: string) => firsts(`FREQ=DAILY;UNTIL=${until}`, '2026-03-28T02:30', 'Europe/Paris', 9).length
  // 29 March, 3:30 in Paris: the wall time of that day is 2:30, which no instant has.
  assert.equal(on('20260329T013000Z'), 2)
  assert.equal(on('20260329T012959Z'), 1)
  // 25 October 2026, 2:15 for the second time. The occurrence at 2:30 was 45 minutes before.
  const autumn = firsts('FREQ=DAILY;UNTIL=20261025T011500Z', '2026-10-24T02:30', 'Europe/Paris', 9)
  assert.equal(autumn.length, 2)
})

test('UNTIL as a wall time or a date counts in the zone, and a date includes its day', () => {
  const on = (until: string, start = '2026-03-28T02:30') =>
    firsts(`FREQ=DAILY;UNTIL=${until}`, start, 'America/New_York', 9).length
  assert.equal(on('20260330T023000'), 3)
  assert.equal(on('20260330T022959'), 2)
  assert.equal(on('20260330'), 3)
  assert.equal(on('20260330', '2026-03-28'), 3)
  assert.equal(on('20260330T000000', '2026-03-28'), 3)
  // Still the 29th in New York.
  assert.equal(on('20260330T020000Z', '2026-03-28'), 2)
})

test('COUNT counts from the start, and the start always counts (RFC 5545 section 3.3.10)', () => {
  assert.deepEqual(dates('FREQ=WEEKLY;BYDAY=MO;COUNT=3', '2026-12-07', 9), ['2026-12-07', '2026-12-14', '2026-12-21'])
  // A Wednesday: no occurrence itself, but the first of three.
  assert.deepEqual(dates('FREQ=WEEKLY;BYDAY=MO;COUNT=3', '2026-12-02', 9), ['2026-12-07', '2026-12-14'])
  const after = (text: string) => nextOccurrence(series('FREQ=DAILY;COUNT=3', '2026-12-01T09:00'), { at: at(text) })
  assert.equal(after('2026-12-02T12:00Z')?.local.toString(), '2026-12-03T09:00:00')
  assert.equal(after('2026-12-03T09:00Z'), null)
  const tenth = nextOccurrence(series('FREQ=DAILY;COUNT=10', '2026-12-01'), { local: day('2026-12-09') })
  assert.equal(tenth?.local.toString(), '2026-12-10')
  assert.equal(nextOccurrence(series('FREQ=DAILY;COUNT=10', '2026-12-01'), { local: day('2026-12-10') }), null)
})

test('INTERVAL keeps its phase, however long nothing was completed', () => {
  const next = (rule: string, text: string) =>
    nextOccurrence(series(rule, '2000-01-31T09:00'), { at: at(text) })
      ?.local.toString()
      .slice(0, 10)
  assert.equal(next('FREQ=DAILY;INTERVAL=3', '2026-12-01T09:00Z'), '2026-12-04')
  assert.equal(next('FREQ=WEEKLY;INTERVAL=2', '2026-12-01T08:00Z'), '2026-12-14')
  assert.equal(next('FREQ=MONTHLY;INTERVAL=5', '2026-12-01T08:00Z'), '2027-07-31')
  assert.equal(next('FREQ=YEARLY;INTERVAL=3', '2026-12-01T08:00Z'), '2027-01-31')
})

test('the next occurrence lies after now and after the one before, whichever is later', () => {
  const next = (now: string, before: string) =>
    nextOccurrence(series('FREQ=DAILY', '2026-12-01T09:00'), { at: at(now), local: time(before) })?.local.toString()
  // Completed early: the occurrence itself does not come again.
  assert.equal(next('2026-12-03T08:00Z', '2026-12-03T09:00'), '2026-12-04T09:00:00')
  // Completed late: days that have passed are not made up for.
  assert.equal(next('2026-12-07T10:00Z', '2026-12-03T09:00'), '2026-12-08T09:00:00')
})

test('an expiry of the other kind counts by its day', () => {
  const after = (start: string, local: After['local']) =>
    nextOccurrence(series('FREQ=DAILY', start), local ? { local } : {})?.local.toString()
  assert.equal(after('2026-12-01', time('2026-12-03T09:00')), '2026-12-04')
  assert.equal(after('2026-12-01T09:00', day('2026-12-03')), '2026-12-04T09:00:00')
})

test('a whole day is over at its end: today’s can still be done', () => {
  const next = (now: string) =>
    nextOccurrence(series('FREQ=DAILY', '2026-12-01', 'Europe/Paris'), { at: at(now), local: day('2026-12-01') })
  assert.deepEqual(next('2026-12-03T08:00Z')?.local.toString(), '2026-12-03')
  assert.equal(next('2026-12-03T08:00Z')?.at, at('2026-12-03T23:00Z'))
  assert.equal(next('2026-12-03T23:00Z')?.local.toString(), '2026-12-04')
})

test('a rule that never happens is refused, with 30 February among the last to be found', () => {
  const never = [
    ...[
      'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30',
      'FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31',
      'FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31',
    ],
    ...['FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO', 'FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2', 'FREQ=DAILY;BYDAY=MO;BYSETPOS=-2'],
    // Not one of these years is a leap year.
    'FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29',
    ...['FREQ=YEARLY;BYMONTHDAY=-11;BYSETPOS=23', 'FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO'],
  ]
  for (const rule of never)
    assert.throws(
      () => checkHappens(series(rule, '2026-12-01T09:00')),
      (error) => error instanceof RuleError && error.kind === 'never' && error.message.startsWith('The rule never'),
      rule,
    )
  assert.throws(() => checkHappens(series('FREQ=DAILY;UNTIL=20261130', '2026-12-01')), /UNTIL must not lie before/)
})

test('a rule that seldom happens is accepted', () => {
  const first = (rule: string) => dates(rule, '2026-12-01', 1)[0]
  assert.equal(first('FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO'), '2044-02-29')
  assert.equal(first('FREQ=YEARLY;INTERVAL=41;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO'), '3092-02-29')
  // One of the 16 years that such a rule meets before the calendar repeats.
  const rare = 'FREQ=YEARLY;INTERVAL=25;BYMONTH=2;BYMONTHDAY=29;BYDAY=SA'
  assert.deepEqual(dates(rare, '2026-12-01', 3), ['2076-02-29', '2476-02-29', '2876-02-29'])
  for (const rule of ['FREQ=DAILY;COUNT=1', 'FREQ=DAILY;UNTIL=20261201', 'FREQ=WEEKLY;BYDAY=FR;COUNT=1'])
    checkHappens(series(rule, '2026-12-01'))
})

test('a series ends with the year 9999', () => {
  assert.deepEqual(dates('FREQ=YEARLY;INTERVAL=1000', '2026-12-01', 99), [
    ...['2026', '3026', '4026', '5026', '6026', '7026', '8026', '9026'].map((year) => `${year}-12-01`),
  ])
  assert.equal(nextOccurrence(series('FREQ=DAILY', '2026-12-01T09:00'), { at: at('9999-12-28T09:00Z') }), null)
  const last = nextOccurrence(series('FREQ=MONTHLY;BYMONTHDAY=-1', '2026-12-31'), { local: day('9999-11-29') })
  assert.equal(last?.local.toString(), '9999-11-30')
  assert.equal(nextOccurrence(series('FREQ=MONTHLY;BYMONTHDAY=-1', '2026-12-31'), { local: day('9999-11-30') }), null)
})
