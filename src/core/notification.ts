import type { Reminder, Task } from './task.ts'

/**
 * A notification records that a reminder fired: one for each task, expiry and reminder instant. Its text is rendered when it is sent,
 * from the task at that time.
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
  /** The expiry that it announces. */
  readonly expiryAt: number
  readonly dueAt: number
  readonly firedAt: number
  readonly timing: Timing
  readonly latenessMs: number
}

/** One part of a message: a notification, and its task at the time of sending. */
export interface MessageItem {
  readonly notification: Notification
  readonly task: Task
  readonly kind: NotificationKind
  /** The zone in which its times are shown: the task's or its user's. */
  readonly timeZone: string
  /** Links to act on it; null when the server has no public URL. */
  readonly links: Links | null
}

/** Signed URLs, each for one action on one task. A GET shows what a POST will do. */
export interface Links {
  readonly complete: string
  /** Snoozes for an hour. */
  readonly snooze: string
  readonly acknowledge: string
}

/** A notification on its way to one channel: all that the channel may use to render it. */
export interface Message extends MessageItem {
  /** The same for all attempts: the receiver's idempotency key. */
  readonly deliveryId: string
  /** Counts from 1. */
  readonly attempt: number
  /** ms since 1970. */
  readonly sentAt: number
  /** The other notifications of its group, on a channel that groups; none on others. */
  readonly others: readonly MessageItem[]
}

/** The kind at the time of sending, not of firing. */
export function kindAt(reminder: Reminder | null, expiryAt: number, now: number): NotificationKind {
  if (reminder === null) return 'snooze'
  return now < expiryAt ? 'expiring' : 'expired'
}

/** Why a delivery is cancelled, or null while its notification is still true. */
export function cancelReason(notification: Notification, task: Task | undefined): string | null {
  if (!task) return 'the task was deleted'
  if (task.completedAt !== null) return 'the task was completed'
  if (task.expiryAt === null) return 'the expiry was cleared'
  if (task.expiryAt !== notification.expiryAt) return 'the expiry was moved'
  return null
}

/** The input of a sentence: a message, or a fired notification that is no message. */
export type SentenceInput = Pick<Message, 'task' | 'notification' | 'sentAt' | 'timeZone'>

/** The original's text: `Your task (id:42,title:"Renew passport") will be expired at 2026-12-01T10:00:00+01:00!` */
export function sentence({ task, notification, sentAt, timeZone }: SentenceInput): string {
  const verb = sentAt < notification.expiryAt ? 'will be expired' : 'is expired already'
  const when = task.expiryDate === null ? `at ${localTime(notification.expiryAt, timeZone)}` : `on ${task.expiryDate}`
  return `${formatTask(task)} ${verb} ${when}!`
}

/** `Your task (id:42,title:"Renew passport")` */
export function formatTask({ id, title }: Pick<Task, 'id' | 'title'>): string {
  return `Your task (id:${id},title:"${escapeControls(title)}")`
}

/** `2 h 5 min`: the two largest units. */
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

// Reminders that fire together mostly share their expiry, and formatting a time costs 4 µs.
let lastTime = { at: Number.NaN, timeZone: '', text: '' }

/** RFC 3339 with the zone's offset, to the second, or to the millisecond when it has a fraction. */
function localTime(at: number, timeZone: string): string {
  if (lastTime.at !== at || lastTime.timeZone !== timeZone) {
    const time = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
    const smallestUnit = time.millisecond === 0 ? 'second' : 'millisecond'
    lastTime = { at, timeZone, text: time.toString({ timeZoneName: 'never', smallestUnit }) }
  }
  return lastTime.text
}

/**
 * A title as one line of a terminal or a log. Characters that could start another line, move the cursor or turn the reading direction
 * are written as \u….
 */
export function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it escapes
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
