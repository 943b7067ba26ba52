import type { RecurrenceLanguage } from './language.ts'

export const english: RecurrenceLanguage = {
  locale: 'en-GB',
  every: {
    DAILY: { one: 'every day', other: 'every {n} days' },
    WEEKLY: { one: 'every week', other: 'every {n} weeks' },
    MONTHLY: { one: 'every month', other: 'every {n} months' },
    YEARLY: { one: 'every year', other: 'every {n} years' },
  },
  afterCompletion: {
    DAILY: { one: '1 day after completion', other: '{n} days after completion' },
    WEEKLY: { one: '1 week after completion', other: '{n} weeks after completion' },
    MONTHLY: { one: '1 month after completion', other: '{n} months after completion' },
    YEARLY: { one: '1 year after completion', other: '{n} years after completion' },
  },
  everyWorkingDay: 'every weekday',
  weekdays: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
  months: [
    ...['January', 'February', 'March', 'April', 'May', 'June'],
    ...['July', 'August', 'September', 'October', 'November', 'December'],
  ],
  ordinal: { one: '{n}st', two: '{n}nd', few: '{n}rd', other: '{n}th' },
  day: 'day',
  workingDay: 'weekday',
  nth: '{ordinal} {noun}',
  last: 'last {noun}',
  nthLast: '{ordinal} last {noun}',
  onWeekdays: '{every} on {list}',
  onPositions: '{every} on the {list}',
  onPositionsOfMonth: '{every} on the {list} of {month}',
  onDate: '{every} on {day} {month}',
  skip: {
    OMIT: '{text}',
    BACKWARD: '{text}, or the last day where the month is shorter',
    FORWARD: '{text}, or the next day where the month is shorter',
  },
  times: { one: '{text}, once', other: '{text}, {n} times' },
  until: '{text} until {day} {month} {year}',
  fromCompletion: '{text}, counted from completion',
}
