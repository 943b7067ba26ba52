import type { Notification, NotificationKind } from './notification.ts'
import { invalidMember } from './problem.ts'
import { limits, type Task } from './task.ts'

/**
 * A way to tell one user. Where it goes is its kind's business (`options`); what it is told, and how calmly, is decided here.
 *
 *   enabled ── gone for good, or nothing but failures for three days ──▶ disabled, with the reason, and a task that says so
 *      ▲                                                                    │
 *      └────────────────────────── a person ────────────────────────────────┘
 */
export interface ChannelRecord {
  readonly id: number
  readonly userId: number
  readonly name: string
  readonly kind: string
  readonly source: ChannelSource
  /** As its kind has them, secrets too. Of one from the configuration file they are there and not here. */
  readonly options: Readonly<Record<string, unknown>>
  readonly isEnabled: boolean
  /** Why it was switched off, where the server did it. */
  readonly disabledReason: string | null
  /** Only for tasks that have one of these; for all when there is none. */
  readonly tags: readonly string[]
  /** Only for notifications of these kinds; for all when there is none. */
  readonly notifications: readonly NotificationKind[]
  /** What rings within this span, in ms, goes out as one message. */
  readonly groupWaitMs: number | null
  readonly repeat: Repeat | null
  /** Also told at hours in which its user wants quiet. */
  readonly ignoresQuietHours: boolean
  readonly health: ChannelHealth
  /** ms since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts changes a person has made. */
  readonly version: number
}

/** `built-in`: the console · `config`: declared in the configuration file, and changed there · `api`: made by a person */
export const channelSources = ['built-in', 'config', 'api'] as const
export type ChannelSource = (typeof channelSources)[number]

/** Rings again every so often (ms), at most so many times, until somebody has seen it. */
export interface Repeat {
  readonly everyMs: number
  readonly max: number
}

/** Instants in ms since 1970. */
export interface ChannelHealth {
  /** The first attempt that failed since the last that went well; null while all is well. */
  readonly failingAt: number | null
  /** When a notification was last given up since then. */
  readonly givenUpAt: number | null
  /** To the minute: a write for each notification would be one more for what is written anyway. */
  readonly lastSentAt: number | null
  readonly lastError: string | null
  /** The receiver takes no more messages before this instant; it may lie in the past. */
  readonly heldUntilAt: number | null
}

export const initialHealth: ChannelHealth = {
  failingAt: null,
  givenUpAt: null,
  lastSentAt: null,
  lastError: null,
  heldUntilAt: null,
}

/** A channel that has done nothing but fail for this long is switched off. */
export const maxFailingMs = 3 * 86_400_000

export const channelStatuses = ['ok', 'failing', 'disabled'] as const
export type ChannelStatus = (typeof channelStatuses)[number]

/** One that a notification was given up on is `failing`, until something is sent again; what is still tried is no more than delayed. */
export function statusOf({ isEnabled, health }: ChannelRecord): ChannelStatus {
  if (!isEnabled) return 'disabled'
  return health.givenUpAt === null ? 'ok' : 'failing'
}

/** Whether a channel is told of a notification, were it enabled. */
export function wantsNotification(
  { tags, notifications }: ChannelRecord,
  { kind }: Pick<Notification, 'kind'>,
  task: Pick<Task, 'tags'>,
): boolean {
  if (notifications.length > 0 && !notifications.includes(kind)) return false
  return tags.length === 0 || tags.some((tag) => task.tags.includes(tag))
}

/** What a person decides about a channel. */
export type ChannelConfig = Pick<
  ChannelRecord,
  'name' | 'options' | 'isEnabled' | 'tags' | 'notifications' | 'groupWaitMs' | 'repeat' | 'ignoresQuietHours'
>

export const channelLimits = {
  nameCharacters: 100,
  /** ms: longer, and one would not call it waiting. */
  groupWaitMs: [1_000, 3_600_000],
  repeatEveryMs: [60_000, 7 * 86_400_000],
  repeats: 100,
} as const

/** @throws Problem `invalid` */
export function checkChannelConfig({ name, tags, groupWaitMs, repeat }: ChannelConfig): void {
  if (name.trim() === '' || name.length > channelLimits.nameCharacters)
    throw invalidMember('/name', `must have 1 to ${channelLimits.nameCharacters} characters`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  if (!name.isWellFormed() || /[\u0000-\u001f\u007f]/.test(name))
    throw invalidMember('/name', 'must not hold control characters')
  if (tags.length > limits.tags) throw invalidMember('/tags', `must be at most ${limits.tags}`)
  if (groupWaitMs !== null && isOutside(groupWaitMs, channelLimits.groupWaitMs))
    throw invalidMember('/group_wait', 'must be from a second to an hour, like "PT30S"')
  if (repeat === null) return
  if (isOutside(repeat.everyMs, channelLimits.repeatEveryMs))
    throw invalidMember('/repeat/every', 'must be from a minute to a week, like "PT10M"')
  if (repeat.max < 1 || repeat.max > channelLimits.repeats)
    throw invalidMember('/repeat/max', `must be 1 to ${channelLimits.repeats}`)
}

const isOutside = (value: number, [least, max]: readonly [number, number]) => value < least || value > max

/** Why a notification that was told once need not be told again, or null while it rings on. */
export function repeatEndReason(
  notification: Notification,
  task: Task | undefined,
  isAcknowledged: boolean,
): string | null {
  if (isAcknowledged) return 'it was acknowledged'
  if (task?.snoozedUntilAt != null && task.snoozedUntilAt > notification.dueAt) return 'the task was snoozed'
  return null
}
