import type { Frequency, Skip } from './rule.ts'

/** By the plural category of a number (Unicode CLDR); `other` is for those that are not named. */
export type Plural = { readonly [category in Intl.LDMLPluralRule]?: string } & { readonly other: string }

/** The words of a language, as templates: another language is another table. */
export interface RecurrenceLanguage {
  /** For plurals and for lists. */
  readonly locale: string
  readonly every: Readonly<Record<Frequency, Plural>>
  readonly afterCompletion: Readonly<Record<Frequency, Plural>>
  /** Monday to Friday. */
  readonly everyWorkingDay: string
  /** From Monday. */
  readonly weekdays: readonly string[]
  readonly months: readonly string[]
  readonly ordinal: Plural
  readonly day: string
  readonly workingDay: string
  readonly nth: string
  readonly last: string
  readonly nthLast: string
  readonly onWeekdays: string
  readonly onPositions: string
  readonly onPositionsOfMonth: string
  readonly onDate: string
  readonly skip: Readonly<Record<Skip, string>>
  readonly times: Plural
  readonly until: string
  readonly fromCompletion: string
}
