import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatRule, parseRule, RuleError } from './rule.ts'

const canonical = (text: string) => formatRule(parseRule(text))

function faultOf(text: string): string {
  try {
    parseRule(text)
  } catch (error) {
    assert.ok(error instanceof RuleError, String(error))
    assert.equal(error.kind, 'invalid')
    return error.message
  }
  assert.fail(`${text} was accepted`)
}

test('every part is read', () => {
  const rule = parseRule('FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=3,1;BYDAY=-1SU,MO,2TU;BYSETPOS=-1,1;WKST=SU')
  assert.deepEqual(rule, {
    frequency: 'YEARLY',
    interval: 2,
    count: 10,
    byMonth: [1, 3],
    byMonthDay: [],
    byDay: [
      { weekday: 7, ordinal: -1 },
      { weekday: 1, ordinal: 0 },
      { weekday: 2, ordinal: 2 },
    ],
    bySetPos: [-1, 1],
    weekStart: 7,
    skip: 'OMIT',
  })
})

test('the canonical text has one order, sorted lists, and nothing that is the default', () => {
  const cases = {
    'wkst=mo;interval=1;freq=daily': 'FREQ=DAILY',
    'BYDAY=FR,MO,FR;FREQ=WEEKLY;INTERVAL=02': 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR',
    'FREQ=MONTHLY;BYMONTHDAY=+1,-1': 'FREQ=MONTHLY;BYMONTHDAY=-1,1',
    'FREQ=MONTHLY;BYDAY=+1MO': 'FREQ=MONTHLY;BYDAY=1MO',
    'RSCALE=GREGORIAN;SKIP=BACKWARD;FREQ=MONTHLY;BYMONTHDAY=31':
      'FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD',
    'RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT': 'FREQ=MONTHLY',
    'FREQ=DAILY;UNTIL=20270301': 'FREQ=DAILY;UNTIL=20270301',
    'FREQ=DAILY;UNTIL=20270301T090000': 'FREQ=DAILY;UNTIL=20270301T090000',
    'FREQ=DAILY;UNTIL=20270301T090000z': 'FREQ=DAILY;UNTIL=20270301T090000Z',
    'FREQ=WEEKLY;WKST=SU;COUNT=3': 'FREQ=WEEKLY;COUNT=3;WKST=SU',
  }
  for (const [text, expected] of Object.entries(cases)) {
    assert.equal(canonical(text), expected)
    assert.equal(canonical(expected), expected)
  }
})

test('a fault names its part, and what is allowed', () => {
  const cases: Record<string, string> = {
    '': 'must not be empty',
    'FREQ=DAILY;': '«» must be a part such as FREQ=DAILY',
    'FREQ=': '«FREQ=» must be a part such as FREQ=DAILY',
    'INTERVAL=2': 'FREQ is missing',
    'FREQ=HOURLY': 'FREQ=HOURLY is not offered',
    'FREQ=SECONDLY;BYSECOND=1': 'BYSECOND is not offered',
    'FREQ=FORTNIGHTLY': 'FREQ=FORTNIGHTLY must be one of DAILY, WEEKLY, MONTHLY, YEARLY',
    'FREQ=DAILY;FREQ=WEEKLY': 'FREQ must be given once',
    'FREQ=DAILY;FOO=1': 'FOO is not a part of a rule',
    'FREQ=DAILY;INTERVALL=2': 'INTERVALL is not a part of a rule. Did you mean INTERVAL?',
    'FREQ=DAILY;INTERVAL=0': 'INTERVAL=0 must lie between 1 and 1000',
    'FREQ=DAILY;INTERVAL=1001': 'INTERVAL=1001 must lie between 1 and 1000',
    'FREQ=DAILY;COUNT=-1': 'COUNT=-1 must lie between 1 and 10000',
    'FREQ=DAILY;COUNT=1e9': 'COUNT=1E9 must lie between 1 and 10000',
    'FREQ=DAILY;COUNT=3;UNTIL=20270301': 'COUNT and UNTIL exclude each other',
    'FREQ=DAILY;UNTIL=20270230':
      'UNTIL=20270230 must be a date or a date and time, such as 20270301 or 20270301T090000Z',
    'FREQ=DAILY;UNTIL=20270301T090060':
      'UNTIL=20270301T090060 must be a date or a date and time, such as 20270301 or 20270301T090000Z',
    'FREQ=DAILY;UNTIL=00000101':
      'UNTIL=00000101 must be a date or a date and time, such as 20270301 or 20270301T090000Z',
    'FREQ=MONTHLY;BYMONTHDAY=99': 'BYMONTHDAY=99 must lie between 1 and 31, or between -31 and -1',
    'FREQ=MONTHLY;BYMONTHDAY=0': 'BYMONTHDAY=0 must lie between 1 and 31, or between -31 and -1',
    'FREQ=MONTHLY;BYMONTHDAY=1,,2': 'BYMONTHDAY= must lie between 1 and 31, or between -31 and -1',
    'FREQ=WEEKLY;BYMONTHDAY=1': 'BYMONTHDAY is not allowed with FREQ=WEEKLY',
    'FREQ=YEARLY;BYMONTH=13': 'BYMONTH=13 must lie between 1 and 12',
    'FREQ=YEARLY;BYMONTH=5L': 'BYMONTH=5L must lie between 1 and 12',
    'FREQ=YEARLY;BYYEARDAY=100': 'BYYEARDAY is not offered',
    'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO': 'BYWEEKNO is not offered',
    'FREQ=WEEKLY;BYDAY=XX': 'BYDAY=XX must be a weekday (MO, TU, WE, TH, FR, SA, SU), such as MO or 3FR',
    'FREQ=WEEKLY;BYDAY=1MO': 'BYDAY=1MO may have a number with FREQ=MONTHLY or YEARLY only',
    'FREQ=MONTHLY;BYDAY=6MO': 'BYDAY=6MO must have a number between 1 and 5, or between -5 and -1',
    'FREQ=MONTHLY;BYDAY=0MO': 'BYDAY=0MO must have a number between 1 and 5, or between -5 and -1',
    'FREQ=YEARLY;BYDAY=54MO': 'BYDAY=54MO must have a number between 1 and 53, or between -53 and -1',
    'FREQ=YEARLY;BYMONTH=1;BYDAY=6MO': 'BYDAY=6MO must have a number between 1 and 5, or between -5 and -1',
    'FREQ=DAILY;BYSETPOS=1': 'BYSETPOS must come with BYMONTH, BYMONTHDAY or BYDAY',
    'FREQ=DAILY;BYDAY=MO;BYSETPOS=367': 'BYSETPOS=367 must lie between 1 and 366, or between -366 and -1',
    'FREQ=WEEKLY;WKST=XX': 'WKST=XX must be one of MO, TU, WE, TH, FR, SA, SU',
    'FREQ=MONTHLY;SKIP=BACKWARD': 'SKIP must come with RSCALE=GREGORIAN',
    'FREQ=MONTHLY;RSCALE=HEBREW': 'RSCALE=HEBREW is not offered, only GREGORIAN',
    'FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=UP': 'SKIP=UP must be one of OMIT, BACKWARD, FORWARD',
    'FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=FORWARD;BYMONTHDAY=-31':
      'BYMONTHDAY=-31 is not offered with SKIP=FORWARD; count from the first day instead',
    'RRULE:FREQ=DAILY': 'must be the value alone, without «RRULE:»',
    'FREQ=DAILY\nRRULE:FREQ=WEEKLY': 'must have neither spaces, line breaks nor characters outside ASCII',
    'FREQ=DAILY\r': 'must have neither spaces, line breaks nor characters outside ASCII',
    'FREQ=DAILY; COUNT=2': 'must have neither spaces, line breaks nor characters outside ASCII',
    'FREQ=DAILY;COUNT=１': 'must have neither spaces, line breaks nor characters outside ASCII',
    [`FREQ=WEEKLY;BYDAY=${'MO,'.repeat(161)}`]: 'must have at most 500 characters',
  }
  for (const [text, expected] of Object.entries(cases)) assert.equal(faultOf(text), expected)
})

test('a rule of 500 characters is read', () => {
  const text = `FREQ=WEEKLY;BYDAY=${'MO,'.repeat(160)}MO`
  assert.equal(text.length, 500)
  assert.equal(canonical(text), 'FREQ=WEEKLY;BYDAY=MO')
})
