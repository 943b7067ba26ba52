import type { Chrono } from 'chrono-node'

/** Alternatives of a regular expression, each with its value. Where words have no spaces between them, longer ones come first. */
export type Words = readonly (readonly [source: string, value: number])[]

export type Unit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

/** The meaning of a phrase that names a day, or a time of day, or both. */
export type Phrase =
  /** Days from today; perhaps with the hour that the word implies. */
  | { readonly kind: 'days'; readonly days: number; readonly hour?: number; readonly isTonight?: true }
  /** `{n} {unit}` from now: calendar units give a day, hours and minutes an instant. */
  | { readonly kind: 'span' }
  | { readonly kind: 'fixedSpan'; readonly minutes: number }
  /** `{weekday}`: the next one, today only while its time is to come. Perhaps with the hour that the word implies: «Samstagabend». */
  | { readonly kind: 'weekday'; readonly hour?: number }
  /** `{weekday}` of the week (Monday to Sunday) after this one. */
  | { readonly kind: 'weekdayOfNextWeek' }
  /** Monday, the 1st, or 1 January of the next `{unit}`. */
  | { readonly kind: 'nextUnit'; readonly unit: 'week' | 'month' | 'year' }
  | { readonly kind: 'weekend'; readonly weeks: 0 | 1 }
  | { readonly kind: 'endOf'; readonly unit: 'month' | 'year'; readonly offset: 0 | 1 }
  /** `{day}` of this month or the next. */
  | { readonly kind: 'dayOfMonth' }
  /** `{day}` and the number of a month as `{m}`. */
  | { readonly kind: 'numericDate' }
  /** The first day of the next `{month}`. */
  | { readonly kind: 'month' }
  /** A time of day: `{hour}` and perhaps `{minute}`, or the hour given. Midnight is 24, the end of the day. */
  | { readonly kind: 'time'; readonly hour?: number; readonly minuteOffset?: number }
  /** A part of the day: the hour that it means on its own, and whether it makes the hours 1 to 11 those after noon. */
  | { readonly kind: 'part'; readonly hour: number; readonly isAfternoon: boolean }

/**
 * Patterns are sources of regular expressions in which a space stands for any white space, and `{n}`, `{unit}`, `{weekday}`, `{month}`,
 * `{day}` and `{ordinal}` for the words of the language.
 */
export interface PhrasePattern {
  readonly pattern: string
  readonly phrase: Phrase
  /** Can be an ordinary word: read only beside another part of a date, at the end, or after a preposition. */
  readonly isWeak?: true
}

export interface RecurrenceWords {
  /** The word that begins a recurrence: «every». */
  readonly every: string
  /** A weekday that repeats without «every», or the word before one: «mondays», «los lunes». */
  readonly repeating: string
  /** Two units at a time, as «every other day» or «every second day». */
  readonly other: string
  /** Between a unit and its days: «every month on the 1st». */
  readonly on: string
  /** After a day, for the month that it belongs to: «the 3rd Friday of the month». */
  readonly ofMonth: string
  /** After a day, instead of a leading «every»: «the 1st of every month». */
  readonly ofEveryMonth: string
  readonly and: string
  /** Monday to Friday, and Saturday with Sunday. */
  readonly workingDays: string
  readonly weekend: string
  readonly lastDay: string
  /** A workday by number, which no rule can keep: it would have to know the holidays. */
  readonly workday: string
  /** A day of a year: patterns of `{month}` and `{day}`. */
  readonly monthDay: readonly string[]
  /** Words that repeat without «every»: «monthly». Read only where the rest of the text is no sentence. */
  readonly adverbs: readonly (readonly [source: string, unit: Unit, interval: number])[]
  /** Whole phrases that do not follow the order «every n units». */
  readonly phrases: readonly (readonly [pattern: string, unit: Unit, interval: number])[]
  readonly parts: Words
  readonly afterCompletion: string
  readonly until: string
  readonly starting: string
  /** «for 10 times» with the number as `{n}`, and the «for» of «for 3 weeks». */
  readonly times: string
  readonly during: string
}

export interface Language {
  /** False where words have no spaces between them, so that they have no boundaries either. */
  readonly isSpaced: boolean
  /** Reads month names, numeric dates and clock times. It gets no words of this file, as these are taken out before. */
  readonly createChrono: (isDayFirst: boolean) => Chrono
  readonly weekdays: Words
  /** Weekdays cut short that are also ordinary words or could be: «sun», «sat». */
  readonly weakWeekdays: Words
  readonly months: Words
  readonly numbers: Words
  readonly ordinals: Words
  /** A day of a month: the number as the group `day`. */
  readonly day: string
  /** A day of a month that is marked as one, as «27th» is. */
  readonly markedDay: string
  readonly units: Readonly<Record<Unit, string>>
  readonly phrases: readonly PhrasePattern[]
  readonly recurrence: RecurrenceWords
  /** Words that belong to the date that follows them, and leave the title with it. */
  readonly prepositions: string
  /** The same only where the text ends with the date: «a table for Friday», but «prepare for Friday's meeting». */
  readonly finalPrepositions: string
  /** Before a weak word they make it a noun: «the sun». */
  readonly articles: string
  /** Between the ends of a range: «Monday to Friday». A task has one date, so a range stays text. */
  readonly rangeTo: string
  /** Words that may follow a bare hour: «at 5 with Ann», but not «at 5 Elm Street». */
  readonly afterHour: string
  /** Nouns that make the date or time before them a number of something: «3/4 cup». */
  readonly countedNouns: string
  /** Nouns that make the number after them a name: «Chapter 12/20». */
  readonly numberedNouns: string
  /** Words before a date that is over. It stays text, because a task is about what is to come. */
  readonly past: string
  /** Phrases that only look like dates. */
  readonly names: string
  /** A span from now, from a span alone: «in 2h» from «2h». `{span}` stands for it. */
  readonly fromNow: string
  /** The hours 1 to this one mean the afternoon when nothing says which; 0 where people write 24 hours. */
  readonly afternoonUntil: number
  readonly priorities: Words
  /** Units of a reminder's lead, as in ~15m. */
  readonly leadUnits: Words
}
