import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeRule } from './describe.ts'
import { english } from './language-en.ts'
import { parseRule } from './rule.ts'

const describe = (rule: string, from: 'expiry' | 'completion' = 'expiry', timeZone = 'UTC') =>
  describeRule(parseRule(rule), { from, timeZone })

test('the shapes that people use are plain words', () => {
  const cases = {
    'FREQ=DAILY': 'every day',
    'FREQ=DAILY;INTERVAL=3': 'every 3 days',
    'FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR': 'every weekday',
    'FREQ=WEEKLY;BYDAY=FR,MO,TU,WE,TH': 'every weekday',
    'FREQ=WEEKLY': 'every week',
    'FREQ=WEEKLY;BYDAY=MO': 'every week on Monday',
    'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO': 'every 2 weeks on Monday',
    'FREQ=WEEKLY;BYDAY=FR,MO,WE': 'every week on Monday, Wednesday and Friday',
    'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR': 'every 2 weeks on Monday, Tuesday, Wednesday, Thursday and Friday',
    'FREQ=MONTHLY': 'every month',
    'FREQ=MONTHLY;BYMONTHDAY=1': 'every month on the 1st',
    'FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=2,3,11,22': 'every 3 months on the 2nd, 3rd, 11th and 22nd',
    'FREQ=MONTHLY;BYMONTHDAY=-1': 'every month on the last day',
    'FREQ=MONTHLY;BYMONTHDAY=15,-1': 'every month on the 15th and last day',
    'FREQ=MONTHLY;BYMONTHDAY=-3': 'every month on the 3rd last day',
    'FREQ=MONTHLY;BYDAY=3FR': 'every month on the 3rd Friday',
    'FREQ=MONTHLY;BYDAY=FR;BYSETPOS=3': 'every month on the 3rd Friday',
    'FREQ=MONTHLY;BYDAY=-1FR': 'every month on the last Friday',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1': 'every month on the 1st weekday',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1': 'every month on the last weekday',
    'FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD':
      'every month on the 31st, or the last day where the month is shorter',
    'FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=FORWARD':
      'every month on the 31st, or the next day where the month is shorter',
    'FREQ=MONTHLY;BYMONTHDAY=29;RSCALE=GREGORIAN;SKIP=BACKWARD':
      'every month on the 29th, or the last day where the month is shorter',
    'FREQ=MONTHLY;BYMONTHDAY=1;RSCALE=GREGORIAN;SKIP=BACKWARD': 'every month on the 1st',
    'FREQ=YEARLY': 'every year',
    'FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1': 'every year on 1 March',
    'FREQ=YEARLY;INTERVAL=2;BYMONTH=12;BYMONTHDAY=24': 'every 2 years on 24 December',
    'FREQ=YEARLY;BYMONTH=11;BYDAY=4TH': 'every year on the 4th Thursday of November',
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1': 'every year on the last day of February',
  }
  for (const [rule, text] of Object.entries(cases)) assert.equal(describe(rule), text)
})

test('the end is part of the text, and UNTIL in UTC is a date of the zone', () => {
  assert.equal(describe('FREQ=DAILY;COUNT=10'), 'every day, 10 times')
  assert.equal(describe('FREQ=DAILY;COUNT=1'), 'every day, once')
  assert.equal(describe('FREQ=DAILY;UNTIL=20270301'), 'every day until 1 March 2027')
  assert.equal(describe('FREQ=DAILY;UNTIL=20270301T090000'), 'every day until 1 March 2027')
  assert.equal(
    describe('FREQ=DAILY;UNTIL=20270301T030000Z', 'expiry', 'America/New_York'),
    'every day until 28 February 2027',
  )
})

test('from completion', () => {
  const cases = {
    'FREQ=DAILY': '1 day after completion',
    'FREQ=DAILY;INTERVAL=3': '3 days after completion',
    'FREQ=WEEKLY;INTERVAL=2;COUNT=5': '2 weeks after completion, 5 times',
    'FREQ=MONTHLY;UNTIL=20270301': '1 month after completion until 1 March 2027',
    'FREQ=WEEKLY;BYDAY=MO': 'every week on Monday, counted from completion',
    'FREQ=YEARLY;BYDAY=20MO': 'every year on the 20th Monday, counted from completion',
    'FREQ=YEARLY;BYMONTH=1,2': 'FREQ=YEARLY;BYMONTH=1,2, counted from completion',
  }
  for (const [rule, text] of Object.entries(cases)) assert.equal(describe(rule, 'completion'), text)
})

test('any other rule is its own text', () => {
  for (const rule of [
    ...['FREQ=DAILY;BYMONTH=1', 'FREQ=DAILY;INTERVAL=2;BYDAY=MO', 'FREQ=MONTHLY;BYDAY=MO', 'FREQ=YEARLY;BYMONTH=6,7'],
    ...['FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR', 'FREQ=MONTHLY;BYDAY=TU,WE;BYSETPOS=3', 'FREQ=YEARLY;BYMONTHDAY=1'],
    ...['FREQ=MONTHLY;COUNT=3;BYMONTH=1;BYMONTHDAY=1', 'FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=1'],
  ])
    assert.equal(describe(rule), rule)
})

test('another language is another table', () => {
  const options = { from: 'expiry', timeZone: 'UTC' } as const
  const german = {
    ...english,
    ...{ locale: 'de', ordinal: { other: '{n}.' }, onPositions: '{every} am {list}', last: 'letzten {noun}' },
    ...{ every: { ...english.every, MONTHLY: { one: 'jeden Monat', other: 'alle {n} Monate' } }, day: 'Tag' },
  }
  const text = describeRule(parseRule('FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,-1'), { ...options, language: german })
  assert.equal(text, 'alle 2 Monate am 1. und letzten Tag')
})
