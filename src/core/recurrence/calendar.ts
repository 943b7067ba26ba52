/**
 * The Gregorian calendar in whole numbers. A day is its number since 1970-01-01. The search for a day asks up to 150,000 of them:
 * 46 ns each, and 1,200 with Temporal.
 */
export interface CalendarDay {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

/** The calendar, weekdays included, repeats after so many days: 400 years. */
export const daysInCycle = 146_097
const firstOfEra = 719_468 // days from 0000-03-01 to 1970-01-01

/** Years begin in March here, so that the leap day is the last of its year, and months have the lengths 31, 30, 31, 30, 31, … */
export function toDay(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return (
    era * daysInCycle +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    firstOfEra
  )
}

/** The inverse of `toDay`. */
export function fromDay(number: number): CalendarDay {
  const shifted = number + firstOfEra
  const era = Math.floor(shifted / daysInCycle)
  const dayOfEra = shifted - era * daysInCycle
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** 1 is Monday, 7 Sunday. 1970-01-01 was a Thursday. */
export const weekdayOf = (number: number) => modulo(number + 3, 7) + 1

export const isLeapYear = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

const modulo = (value: number, by: number) => value - by * Math.floor(value / by)
