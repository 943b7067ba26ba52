import assert from 'node:assert/strict'
import { test } from 'node:test'
import { occurrences } from './expand.ts'
import { parseRule, RuleError } from './rule.ts'

/**
 * All examples of RFC 5545 section 3.8.5.3 in its order, by day: each is at 9:00 in New York. The title is the RFC's. Of those that have
 * no end, the RFC prints the first days.
 */
const examples: readonly [title: string, start: string, rule: string, days: string][] = [
  ['Daily for 10 occurrences', '19970902', 'FREQ=DAILY;COUNT=10', '1997-09: 2 3 4 5 6 7 8 9 10 11'],
  ['Every other day - forever', '19970902', 'FREQ=DAILY;INTERVAL=2', '1997-09: 2 4 6 8 10 12 14 16 18 20'],
  [
    ...(['Every 10 days, 5 occurrences', '19970902', 'FREQ=DAILY;INTERVAL=10;COUNT=5'] as const),
    '1997-09: 2 12 22, 1997-10: 2 12',
  ],
  [
    ...(['Weekly for 10 occurrences', '19970902', 'FREQ=WEEKLY;COUNT=10'] as const),
    '1997-09: 2 9 16 23 30, 1997-10: 7 14 21 28, 1997-11: 4',
  ],
  [
    ...(['Weekly until December 24, 1997', '19970902', 'FREQ=WEEKLY;UNTIL=19971224T000000Z'] as const),
    '1997-09: 2 9 16 23 30, 1997-10: 7 14 21 28, 1997-11: 4 11 18 25, 1997-12: 2 9 16 23',
  ],
  [
    ...(['Every other week - forever', '19970902', 'FREQ=WEEKLY;INTERVAL=2;WKST=SU'] as const),
    '1997-09: 2 16 30, 1997-10: 14 28, 1997-11: 11 25, 1997-12: 9 23, 1998-01: 6 20, 1998-02: 3 17',
  ],
  [
    'Weekly on Tuesday and Thursday for five weeks',
    ...(['19970902', 'FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH'] as const),
    '1997-09: 2 4 9 11 16 18 23 25 30, 1997-10: 2',
  ],
  [
    'Weekly on Tuesday and Thursday for five weeks',
    ...(['19970902', 'FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH'] as const),
    '1997-09: 2 4 9 11 16 18 23 25 30, 1997-10: 2',
  ],
  [
    'Every other week on Monday, Wednesday, and Friday until December 24, 1997, starting on Monday, September 1, 1997',
    ...(['19970901', 'FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR'] as const),
    '1997-09: 1 3 5 15 17 19 29, 1997-10: 1 3 13 15 17 27 29 31, 1997-11: 10 12 14 24 26 28, 1997-12: 8 10 12 22',
  ],
  [
    'Every other week on Tuesday and Thursday, for 8 occurrences',
    ...(['19970902', 'FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH'] as const),
    '1997-09: 2 4 16 18 30, 1997-10: 2 14 16',
  ],
  [
    ...(['Monthly on the first Friday for 10 occurrences', '19970905', 'FREQ=MONTHLY;COUNT=10;BYDAY=1FR'] as const),
    '1997-09: 5, 1997-10: 3, 1997-11: 7, 1997-12: 5, 1998-01: 2, 1998-02: 6, 1998-03: 6, 1998-04: 3, 1998-05: 1, 1998-06: 5',
  ],
  [
    'Monthly on the first Friday until December 24, 1997',
    ...(['19970905', 'FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR'] as const),
    '1997-09: 5, 1997-10: 3, 1997-11: 7, 1997-12: 5',
  ],
  [
    'Every other month on the first and last Sunday of the month for 10 occurrences',
    ...(['19970907', 'FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU'] as const),
    '1997-09: 7 28, 1997-11: 2 30, 1998-01: 4 25, 1998-03: 1 29, 1998-05: 3 31',
  ],
  [
    'Monthly on the second-to-last Monday of the month for 6 months',
    ...(['19970922', 'FREQ=MONTHLY;COUNT=6;BYDAY=-2MO'] as const),
    '1997-09: 22, 1997-10: 20, 1997-11: 17, 1997-12: 22, 1998-01: 19, 1998-02: 16',
  ],
  [
    'Monthly on the third-to-the-last day of the month, forever',
    ...(['19970928', 'FREQ=MONTHLY;BYMONTHDAY=-3'] as const),
    '1997-09: 28, 1997-10: 29, 1997-11: 28, 1997-12: 29, 1998-01: 29, 1998-02: 26',
  ],
  [
    'Monthly on the 2nd and 15th of the month for 10 occurrences',
    ...(['19970902', 'FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15'] as const),
    '1997-09: 2 15, 1997-10: 2 15, 1997-11: 2 15, 1997-12: 2 15, 1998-01: 2 15',
  ],
  [
    'Monthly on the first and last day of the month for 10 occurrences',
    ...(['19970930', 'FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1'] as const),
    '1997-09: 30, 1997-10: 1 31, 1997-11: 1 30, 1997-12: 1 31, 1998-01: 1 31, 1998-02: 1',
  ],
  [
    'Every 18 months on the 10th thru 15th of the month for 10 occurrences',
    ...(['19970910', 'FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15'] as const),
    '1997-09: 10 11 12 13 14 15, 1999-03: 10 11 12 13',
  ],
  [
    ...(['Every Tuesday, every other month', '19970902', 'FREQ=MONTHLY;INTERVAL=2;BYDAY=TU'] as const),
    '1997-09: 2 9 16 23 30, 1997-11: 4 11 18 25, 1998-01: 6 13 20 27, 1998-03: 3 10 17 24 31',
  ],
  [
    ...(['Yearly in June and July for 10 occurrences', '19970610', 'FREQ=YEARLY;COUNT=10;BYMONTH=6,7'] as const),
    '1997-06: 10, 1997-07: 10, 1998-06: 10, 1998-07: 10, 1999-06: 10, 1999-07: 10, 2000-06: 10, 2000-07: 10, 2001-06: 10, 2001-07: 10',
  ],
  [
    'Every other year on January, February, and March for 10 occurrences',
    ...(['19970310', 'FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3'] as const),
    '1997-03: 10, 1999-01: 10, 1999-02: 10, 1999-03: 10, 2001-01: 10, 2001-02: 10, 2001-03: 10, 2003-01: 10, 2003-02: 10, 2003-03: 10',
  ],
  [
    ...(['Every 20th Monday of the year, forever', '19970519', 'FREQ=YEARLY;BYDAY=20MO'] as const),
    '1997-05: 19, 1998-05: 18, 1999-05: 17',
  ],
  [
    ...(['Every Thursday in March, forever', '19970313', 'FREQ=YEARLY;BYMONTH=3;BYDAY=TH'] as const),
    '1997-03: 13 20 27, 1998-03: 5 12 19 26, 1999-03: 4 11 18 25',
  ],
  [
    'Every Thursday, but only during June, July, and August, forever',
    ...(['19970605', 'FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8'] as const),
    '1997-06: 5 12 19 26, 1997-07: 3 10 17 24 31, 1997-08: 7 14 21 28, 1998-06: 4 11 18 25, 1998-07: 2 9 16 23 30, 1998-08: 6 13 20 27',
  ],
  [
    // The RFC takes its start out with EXDATE, because it is no Friday. Here such a start is no occurrence.
    ...(['Every Friday the 13th, forever', '19970902', 'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13'] as const),
    '1998-02: 13, 1998-03: 13, 1998-11: 13, 1999-08: 13, 2000-10: 13',
  ],
  [
    'The first Saturday that follows the first Sunday of the month, forever',
    ...(['19970913', 'FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13'] as const),
    '1997-09: 13, 1997-10: 11, 1997-11: 8, 1997-12: 13, 1998-01: 10, 1998-02: 7, 1998-03: 7, 1998-04: 11, 1998-05: 9, 1998-06: 13',
  ],
  [
    'Every 4 years, the first Tuesday after a Monday in November, forever (U.S. Presidential Election day)',
    ...(['19961105', 'FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8'] as const),
    '1996-11: 5, 2000-11: 7, 2004-11: 2',
  ],
  [
    'The third instance into the month of one of Tuesday, Wednesday, or Thursday, for the next 3 months',
    ...(['19970904', 'FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3'] as const),
    '1997-09: 4, 1997-10: 7, 1997-11: 6',
  ],
  [
    'The second-to-last weekday of the month',
    ...(['19970929', 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2'] as const),
    '1997-09: 29, 1997-10: 30, 1997-11: 27, 1997-12: 30, 1998-01: 29, 1998-02: 26, 1998-03: 30',
  ],
  [
    'An example where the days generated makes a difference because of WKST',
    ...(['19970805', 'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO'] as const),
    '1997-08: 5 10 19 24',
  ],
  [
    'changing only WKST from MO to SU, yields different results',
    ...(['19970805', 'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU'] as const),
    '1997-08: 5 17 19 31',
  ],
  [
    'An example where an invalid date (i.e., February 30) is ignored',
    ...(['20070115', 'FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5'] as const),
    '2007-01: 15 30, 2007-02: 15, 2007-03: 15 30',
  ],
]

/** Times of day, days of the year and numbers of weeks are not for tasks. */
const refused: readonly [title: string, rule: string, reason: string][] = [
  [
    'Every third year on the 1st, 100th, and 200th day',
    'FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200',
    'BYYEARDAY is not offered',
  ],
  ['Monday of week number 20', 'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO', 'BYWEEKNO is not offered'],
  [
    'Every 3 hours from 9:00 AM to 5:00 PM',
    'FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z',
    'FREQ=HOURLY is not offered',
  ],
  ['Every 15 minutes for 6 occurrences', 'FREQ=MINUTELY;INTERVAL=15;COUNT=6', 'FREQ=MINUTELY is not offered'],
  ['Every hour and a half', 'FREQ=MINUTELY;INTERVAL=90;COUNT=4', 'FREQ=MINUTELY is not offered'],
  [
    'Every 20 minutes from 9:00 AM to 4:40 PM every day',
    'FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40',
    'BYHOUR is not offered',
  ],
  [
    'Every 20 minutes from 9:00 AM to 4:40 PM every day',
    'FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16',
    'BYHOUR is not offered',
  ],
]

const series = (rule: string, start: string) => ({
  rule: parseRule(rule),
  start: Temporal.PlainDateTime.from(`${start}T090000`),
  timeZone: 'America/New_York',
})
const daysOf = (rule: string, start: string, limit: number) =>
  occurrences(series(rule, start), { limit }).map(({ local }) => local.toString())

for (const [title, start, rule, days] of examples)
  test(`RFC 5545 section 3.8.5.3: ${title} (${rule})`, () => {
    const expected = days.split(', ').flatMap((month) => {
      const [name, list] = month.split(': ') as [string, string]
      return list.split(' ').map((day) => `${name}-${day.padStart(2, '0')}T09:00:00`)
    })
    const isEnding = /COUNT|UNTIL/.test(rule)
    assert.deepEqual(daysOf(rule, start, expected.length + (isEnding ? 5 : 0)), expected)
  })

test('RFC 5545 section 3.8.5.3: Daily until December 24, 1997', () => {
  const days = daysOf('FREQ=DAILY;UNTIL=19971224T000000Z', '19970902', 1_000)
  assert.equal(days.length, 113)
  assert.equal(days.at(-1), '1997-12-23T09:00:00')
})

test('RFC 5545 section 3.8.5.3: Every day in January, for 3 years', () => {
  const byYear = daysOf('FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA', '19980101', 1_000)
  assert.equal(byYear.length, 93)
  assert.deepEqual(
    [byYear[0], byYear[31], byYear.at(-1)],
    ['1998-01-01T09:00:00', '1999-01-01T09:00:00', '2000-01-31T09:00:00'],
  )
  assert.deepEqual(daysOf('FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1', '19980101', 1_000), byYear)
})

for (const [title, rule, reason] of refused)
  test(`RFC 5545 section 3.8.5.3: ${title} is refused (${rule})`, () => {
    assert.throws(
      () => parseRule(rule),
      (error) => error instanceof RuleError && error.message === reason,
    )
  })

test('RFC 5545 section 3.8.5.3: the instants follow the offset of New York, which changes on 26 October', () => {
  const [before, after] = occurrences(series('FREQ=WEEKLY', '19971021'), { limit: 2 })
  assert.equal(before?.at, Date.parse('1997-10-21T13:00Z'))
  assert.equal(after?.at, Date.parse('1997-10-28T14:00Z'))
})
