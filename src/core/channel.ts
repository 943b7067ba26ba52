import type { Notification, NotificationKind } from './notification.ts'
import { invalidMember } from './problem.ts'
import { limits, type Task } from './task.ts'

/**
 * A channel delivers notifications to one user. Its kind decides where they go (`options`). These settings decide which, and when.
 *
 *   enabled ── gone for good, or nothing but failures for three days ──▶ disabled, with the reason, and a task that says so
 *      ▲                                                                    │
 *      └────────────────────────── the user ────────────────────────────────┘
 */
export interface ChannelRecord {
  readonly id: number
  readonly userId: number
  readonly name: string
  readonly kind: string
  readonly source: ChannelSource
  /** The options of its kind, secrets included. Empty for a channel of the configuration file, which holds them itself. */
  readonly options: Readonly<Record<string, unknown>>
  readonly isEnabled: boolean
  /** Why the server disabled it; null when the user did. */
  readonly disabledReason: string | null
  /** Delivers only for tasks with one of these tags, or for all when empty. */
  readonly tags: readonly string[]
  /** Delivers only notifications of these kinds, or all when empty. */
  readonly notifications: readonly NotificationKind[]
  /** Notifications that fire within this span, in ms, are sent as one message. */
  readonly groupWaitMs: number | null
  readonly repeat: Repeat | null
  /** Delivers during the user's quiet hours too. */
  readonly ignoresQuietHours: boolean
  readonly health: ChannelHealth
  /** ms since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts the user's changes. */
  readonly version: number
}

/** `built-in`: the console · `config`: declared in the configuration file, and changed there · `api`: created by a user */
export const channelSources = ['built-in', 'config', 'api'] as const
export type ChannelSource = (typeof channelSources)[number]

/** Repeats a notification every `everyMs`, at most `max` times, until the user acknowledges it. */
export interface Repeat {
  readonly everyMs: number
  readonly max: number
}

/** Instants in ms since 1970. */
export interface ChannelHealth {
  /** The first failed attempt since the last success; null while all is well. */
  readonly failingAt: number | null
  /** When a notification last failed for good since then. */
  readonly givenUpAt: number | null
  /** To the minute: exact times would cost one more write for each notification. */
  readonly lastSentAt: number | null
  readonly lastError: string | null
  /** The receiver accepts no messages before this instant, which may lie in the past. */
  readonly heldUntilAt: number | null
}

/** A channel whose attempts have all failed for this long is disabled. */
export const maxFailingMs = 3 * 86_400_000

export const channelStatuses = ['ok', 'failing', 'disabled'] as const
export type ChannelStatus = (typeof channelStatuses)[number]

/** A channel is `failing` from a failed notification until the next success. Attempts that are still retried only delay it. */
export function statusOf({ isEnabled, health }: ChannelRecord): ChannelStatus {
  if (!isEnabled) return 'disabled'
  return health.givenUpAt === null ? 'ok' : 'failing'
}

/** Whether a channel delivers a notification while it is enabled. */
export function wantsNotification(
  { tags, notifications }: ChannelRecord,
  { kind }: Pick<Notification, 'kind'>,
  task: Pick<Task, 'tags'>,
): boolean {
  if (notifications.length > 0 && !notifications.includes(kind)) return false
  return tags.length === 0 || tags.some((tag) => task.tags.includes(tag))
}

/** Which notifications a channel gets, and when. */
export type ChannelSettings = Pick<
  ChannelRecord,
  'tags' | 'notifications' | 'groupWaitMs' | 'repeat' | 'ignoresQuietHours'
>

/** Everything of a channel that the user can change. */
export type ChannelConfig = ChannelSettings & Pick<ChannelRecord, 'name' | 'options' | 'isEnabled'>

export const channelLimits = {
  nameCharacters: 100,
  /** ms */
  groupWaitMs: [1_000, 3_600_000],
  repeatEveryMs: [60_000, 7 * 86_400_000],
  repeats: 100,
} as const

/** @throws Problem `invalid` */
export function checkChannelConfig({ name, tags, groupWaitMs, repeat }: ChannelConfig): void {
  if (name.trim() === '' || name.length > channelLimits.nameCharacters)
    throw invalidMember('/name', `must have 1 to ${channelLimits.nameCharacters} characters`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the name must not hold them
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

const isOutside = (value: number, [min, max]: readonly [number, number]) => value < min || value > max

/** Why the repeats of a notification end, or null while they go on. */
export function repeatEndReason(
  notification: Notification,
  task: Task | undefined,
  isAcknowledged: boolean,
): string | null {
  if (isAcknowledged) return 'it was acknowledged'
  if (task?.snoozedUntilAt != null && task.snoozedUntilAt > notification.dueAt) return 'the task was snoozed'
  return null
}
