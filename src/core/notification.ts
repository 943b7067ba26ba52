import type { Reminder, Task } from './task.ts'

/**
 * A notification is the fact that a reminder fired: one per task, expiry and reminder instant. What it says is decided when it
 * is sent, from the task as it is then.
 */
export const notificationKinds = ['expiring', 'expired', 'snooze'] as const
export type NotificationKind = (typeof notificationKinds)[number]

export const timings = ['on_time', 'immediate', 'late'] as const
export type Timing = (typeof timings)[number]

/** Instants in ms since 1970, lateness in ms. */
export interface Notification {
  readonly id: number
  readonly userId: number
  readonly taskId: number
  readonly kind: NotificationKind
  /** Null for the end of a snooze. */
  readonly reminder: Reminder | null
  /** The expiry it speaks of. */
  readonly expiryAt: number
  readonly dueAt: number
  readonly firedAt: number
  readonly timing: Timing
  readonly latenessMs: number
}

/** One thing to be said: a notification, and its task as it is at the moment of sending. */
export interface Item {
  readonly notification: Notification
  readonly task: Task
  readonly kind: NotificationKind
  /** The zone in which a person reads its times: the task's or its user's. */
  readonly timeZone: string
  /** Where a person can act on it with one button; null where the server does not know how it is reached. */
  readonly links: Links | null
}

/** Signed addresses, each for one act on one task. A GET shows what a POST will do. */
export interface Links {
  readonly complete: string
  /** For an hour. */
  readonly snooze: string
  readonly acknowledge: string
}

/** A notification on its way to one channel: all that a channel may use to say it. */
export interface Message extends Item {
  /** The same over all attempts: the receiver's key for «at most once». */
  readonly deliveryId: string
  /** Counts from 1. */
  readonly attempt: number
  /** ms since 1970. */
  readonly sentAt: number
  /** What rang in the same while and is told in the same message, on a channel that waits for more; none on others. */
  readonly others: readonly Item[]
}

/** The kind at a moment: words follow the moment of sending, not of ringing. */
export function kindAt(reminder: Reminder | null, expiryAt: number, now: number): NotificationKind {
  if (reminder === null) return 'snooze'
  return now < expiryAt ? 'expiring' : 'expired'
}

/** Why a delivery that was fired for is no longer true, or null when it still is. */
export function cancelReason(notification: Notification, task: Task | undefined): string | null {
  if (!task) return 'the task was deleted'
  if (task.completedAt !== null) return 'the task was completed'
  if (task.expiryAt === null) return 'the expiry was cleared'
  if (task.expiryAt !== notification.expiryAt) return 'the expiry was moved'
  return null
}

/** What a sentence says, and to whom: a message, or what has fired without being one. */
export type SentenceInput = Pick<Message, 'task' | 'notification' | 'sentAt' | 'timeZone'>

/** The original's words: `Your task (id:42,title:"Renew passport") will be expired at 2026-12-01T10:00:00+01:00!` */
export function sentence({ task, notification, sentAt, timeZone }: SentenceInput): string {
  const verb = sentAt < notification.expiryAt ? 'will be expired at' : 'is expired already at'
  return `${formatTask(task)} ${verb} ${localTime(notification.expiryAt, timeZone)}!`
}

/** `Your task (id:42,title:"Renew passport")` */
export function formatTask({ id, title }: Pick<Task, 'id' | 'title'>): string {
  return `Your task (id:${id},title:"${escapeControls(title)}")`
}

/** `2 h 5 min`, of the two largest units. */
export function formatSpan(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  const first = units.findIndex(([, size]) => ms >= size)
  if (first === -1) return `${ms} ms`
  const words: string[] = []
  for (const [name, size] of units.slice(first, first + 2)) {
    if (ms >= size) words.push(`${Math.floor(ms / size)} ${name}`)
    ms %= size
  }
  return words.join(' ')
}

// What falls due together mostly expires together, and a time costs 4 µs to write.
let lastTime = { at: Number.NaN, timeZone: '', text: '' }

/** RFC 3339 with the zone's offset, to the second, or to the millisecond where it has some. */
function localTime(at: number, timeZone: string): string {
  if (lastTime.at !== at || lastTime.timeZone !== timeZone) {
    const time = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
    const smallestUnit = time.millisecond === 0 ? 'second' : 'millisecond'
    lastTime = { at, timeZone, text: time.toString({ timeZoneName: 'never', smallestUnit }) }
  }
  return lastTime.text
}

/**
 * A title as one line of a terminal or a log: what could start another line, move the cursor, or turn the reading direction
 * around is written as \u….
 */
export function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
