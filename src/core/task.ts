import type { DateTimeInput } from './date-time.ts'

export const priorities = ['none', 'low', 'medium', 'high'] as const
export type Priority = (typeof priorities)[number]

/** Instants are ms since 1970-01-01T00:00:00Z. Stored facts only: no member changes because time passes. */
export interface Task {
  readonly id: number
  readonly userId: number
  readonly uid: string
  /** The client's own name for it, unique for its user. */
  readonly key: string | null
  readonly title: string
  readonly description: string | null
  /** For a whole day its last second. */
  readonly expiryAt: number | null
  /** The day on which it expires, `2027-03-01`, in its zone; null: it expires at a time. */
  readonly expiryDate: string | null
  /** The wall time that was meant, `2027-03-01T09:00:00[Europe/Paris]`: `expiryAt` follows when the rules of the zone change. */
  readonly expiryWall: string | null
  /** The zone of local times and calendar days; null: the user's zone. */
  readonly timeZone: string | null
  /** Null: the user's defaults; empty: no reminders. */
  readonly reminders: readonly Reminder[] | null
  readonly tags: readonly string[]
  readonly priority: Priority
  readonly completedAt: number | null
  readonly snoozedUntilAt: number | null
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts changes, from 1. */
  readonly version: number
  /** The alarm: when it must fire next, or null. Written in the same statement as the members that it follows from. */
  readonly notifyAt: number | null
  /** The latest reminder instant of this expiry that has fired. */
  readonly firedUntilAt: number | null
  /** The recurrence rule as it was given (recurrence/rule.ts); null: the task does not recur. Then the next four are null as well. */
  readonly recurrenceRule: string | null
  readonly recurrenceFrom: RecurrenceFrom | null
  /** DTSTART of RFC 5545: the wall time or the day of the first expiry, without a zone. */
  readonly seriesStart: string | null
  /** The same of this occurrence, as the series had it. The expiry may have been moved since: RECURRENCE-ID of RFC 5545. */
  readonly seriesScheduled: string | null
  /** The number of this task in its series, from 1. */
  readonly occurrence: number | null
  /** The task whose completion created this one. */
  readonly previousId: number | null
  /** The task that the completion of this one created. */
  readonly nextId: number | null
}

/** Where the next occurrence is counted from. */
export const recurrenceFroms = ['expiry', 'completion'] as const
export type RecurrenceFrom = (typeof recurrenceFroms)[number]

export interface Recurrence {
  readonly rule: string
  readonly from: RecurrenceFrom
}

/** The members that a client may set. An absent member stays as it is; null clears it. */
export interface TaskPatch {
  readonly key?: string | null
  readonly title?: string
  readonly description?: string | null
  readonly expiry?: DateTimeInput | null
  /** A whole day, `2027-03-01`. */
  readonly expiryDate?: string | null
  readonly timeZone?: string | null
  readonly reminders?: readonly (string | DateTimeInput)[] | null
  readonly tags?: readonly string[]
  readonly priority?: Priority
  readonly completed?: DateTimeInput | null
  readonly recurrence?: Recurrence | null
}

export interface TaskDraft extends TaskPatch {
  readonly title: string
  readonly uid?: string
}

/** Characters are Unicode code points, as in JSON Schema; description counts bytes of UTF-8, as storage does. */
export const limits = {
  titleCharacters: 500,
  /** The limit of a task in words. The costs of the date parser grow faster than the text: 80 kB took 1.5 s. */
  textCharacters: 500,
  descriptionBytes: 64 * 1024,
  tags: 20,
  tagCharacters: 50,
  reminders: 10,
  keyCharacters: 200,
  uidCharacters: 255,
} as const

/** A task without its id, which the store assigns. */
export type NewTask = Omit<Task, 'id'>
/** A lead (`PT15M`, `P7D@09:00`, `-P1D` after the expiry: duration.ts), or an instant in ms since 1970. */
export type Reminder = string | number
