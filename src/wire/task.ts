import { type DateTimeInput, parseTimeZone } from '#core/date-time.ts'
import { deliveryStates } from '#core/delivery.ts'
import { parseSpan } from '#core/duration.ts'
import {
  type Message,
  type Notification,
  notificationKinds,
  type SentenceInput,
  sentence,
  timings,
} from '#core/notification.ts'
import { type Fault, formatFaults, Problem } from '#core/problem.ts'
import { limits, priorities, type Reminder, type Task, type TaskDraft, type TaskPatch } from '#core/task.ts'
import Type, { type Static, type TSchema } from '#json-schema.ts'
import type { Delivery } from '#store/deliveries.ts'
import type { NotificationRecord } from '#store/notifications.ts'

/**
 * Wire shapes, to and from core. The only place that reads or writes ISO text. On the wire instants end in `_dt` (RFC 3339),
 * in code they are ms since 1970 and end in `At`.
 */

/** `type: [x, 'null']`: what JSON Schema 2020-12 and OpenAPI 3.1 say for «or null», and cheaper to check than anyOf. */
export function nullable<T extends TSchema & { type: string }>(schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })
}

export const time = (description: string) =>
  Type.String({ description: `${description}, RFC 3339 in UTC`, examples: ['2026-12-01T09:00:00.000Z'] })
const timeIn = (description: string) =>
  Type.String({
    maxLength: 100,
    description: `${description}: RFC 3339, with an optional [zone] (RFC 9557); without an offset, local time of the task's zone`,
    examples: ['2026-12-01T10:00:00+01:00', '2026-12-01T10:00', '2026-12-01'],
  })

/** What a caller may set. */
const writable = {
  title: Type.String({ minLength: 1, maxLength: limits.titleCharacters }),
  description: nullable(Type.String({ description: `At max ${limits.descriptionBytes} bytes of UTF-8` })),
  expiry_dt: nullable(timeIn('When it expires')),
  time_zone: nullable(
    Type.String({ maxLength: 100, description: 'IANA zone; null for the default one', examples: ['Europe/Paris'] }),
  ),
  reminders: nullable(
    Type.Array(Type.String({ maxLength: 100 }), {
      maxItems: limits.reminders,
      description: 'ISO 8601 leads before the expiry, or RFC 3339 times; null for the default, empty for never',
      examples: [['P1D', 'PT15M']],
    }),
  ),
  tags: Type.Array(Type.String({ minLength: 1, maxLength: limits.tagCharacters }), { maxItems: limits.tags }),
  priority: Type.Enum(priorities),
  completed_dt: nullable(timeIn('When it was completed')),
  key: nullable(
    Type.String({ minLength: 1, maxLength: limits.keyCharacters, description: "The caller's own name for it, unique" }),
  ),
}

/** Sent back by clients that edit what they read. */
const ignored = Type.Unknown({ description: 'May be sent back as it was read; ignored', readOnly: true })
const readOnly = {
  id: ignored,
  create_dt: ignored,
  update_dt: ignored,
  snoozed_until_dt: ignored,
  version: ignored,
}

export const TaskShape = Type.Object(
  {
    id: Type.Integer(),
    uid: Type.String({ description: 'UUIDv7, unless given at creation' }),
    key: nullable(Type.String()),
    title: Type.String(),
    description: nullable(Type.String()),
    expiry_dt: nullable(time('When it expires')),
    time_zone: nullable(Type.String()),
    reminders: nullable(Type.Array(Type.String())),
    tags: Type.Array(Type.String()),
    priority: Type.Enum(priorities),
    completed_dt: nullable(time('When it was completed')),
    snoozed_until_dt: nullable(time('When it rings once more')),
    create_dt: time('When it was created'),
    update_dt: time('When it was last changed'),
    version: Type.Integer({ description: 'Counts its changes; also its ETag' }),
  },
  { $id: 'Task' },
)
export type TaskWire = Static<typeof TaskShape>

/** What `Prefer: return=minimal` leaves of a task. */
export const TaskMarkShape = Type.Object({ id: Type.Integer(), version: Type.Integer() }, { $id: 'TaskMark' })
export type TaskMarkWire = Static<typeof TaskMarkShape>

export const TaskDraftShape = Type.Object(
  {
    ...Type.Partial(Type.Object({ ...writable, ...readOnly })).properties,
    title: writable.title,
    uid: Type.Optional(
      Type.String({ minLength: 1, maxLength: limits.uidCharacters, description: 'A UUIDv7 of the server when absent' }),
    ),
  },
  { $id: 'TaskDraft', additionalProperties: false },
)
export type TaskDraftWire = Static<typeof TaskDraftShape>

export const TaskPatchShape = Type.Partial(Type.Object({ ...writable, ...readOnly, uid: ignored }), {
  $id: 'TaskPatch',
  additionalProperties: false,
})
export type TaskPatchWire = Static<typeof TaskPatchShape>

/** For a task that is there or not: a patch, and at creation its uid. */
export const TaskUpsertShape = Type.Object(
  { ...TaskPatchShape.properties, uid: TaskDraftShape.properties.uid },
  { $id: 'TaskUpsert', additionalProperties: false },
)
export type TaskUpsertWire = Static<typeof TaskUpsertShape>

export const TaskPatchesShape = Type.Object(
  {
    tasks: Type.Array(
      Type.Object(
        {
          ...TaskPatchShape.properties,
          id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
          version: Type.Optional(
            Type.Integer({ description: 'The version that it must still have; any where it is not given' }),
          ),
        },
        { additionalProperties: false },
      ),
      { maxItems: 1_000 },
    ),
  },
  { $id: 'TaskPatches', additionalProperties: false },
)
export type TaskPatchesWire = Static<typeof TaskPatchesShape>

export const SnoozeShape = Type.Object(
  {
    for: Type.Optional(Type.String({ maxLength: 50, description: 'ISO 8601 duration from now', examples: ['PT1H'] })),
    until: Type.Optional(timeIn('When to ring')),
  },
  { $id: 'Snooze', additionalProperties: false },
)
export type SnoozeWire = Static<typeof SnoozeShape>

export const DeliveryShape = Type.Object(
  {
    id: Type.String({ description: 'The same over all attempts' }),
    channel_id: Type.Integer(),
    kind: Type.String({ description: 'Kind of the channel' }),
    state: Type.Enum(deliveryStates),
    attempts: Type.Integer(),
    latency_ms: nullable(Type.Integer({ description: 'How long the last attempt took' })),
    error: nullable(Type.String({ description: 'Why the last attempt failed, or why it was dropped' })),
    next_attempt_dt: nullable(time('When it is tried next')),
  },
  { $id: 'Delivery' },
)
export type DeliveryWire = Static<typeof DeliveryShape>

export const NotificationShape = Type.Object(
  {
    id: Type.Integer(),
    task_id: Type.Integer(),
    kind: Type.Enum(notificationKinds),
    reminder: nullable(Type.String({ description: 'The reminder that fired; null at the end of a snooze' })),
    expiry_dt: time('The expiry it speaks of'),
    due_dt: time('When it was to ring'),
    fired_dt: time('When it rang'),
    timing: Type.Enum(timings, {
      description: 'immediate: it was due as it was accepted; late: by more than a second',
    }),
    lateness_ms: Type.Integer(),
    acknowledged_dt: nullable(time('When a person said to have seen it')),
    deliveries: Type.Array(Type.Ref('Delivery'), {
      description: 'How each channel took it; empty: there was no channel, and nobody was told',
    }),
  },
  { $id: 'Notification' },
)
export type NotificationWire = Omit<Static<typeof NotificationShape>, 'deliveries'> & {
  deliveries: DeliveryWire[]
}

// ── out ──

const dayMs = 86_400_000
const dates = new Map<number, string>()
const twoDigits = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'))

/** As Date.toISOString, in a quarter of its 0.6 µs: a list of 100 tasks has 300 of them. Years 1 to 9999. */
export function isoText(at: number): string {
  const day = Math.floor(at / dayMs)
  let date = dates.get(day)
  if (date === undefined) {
    if (dates.size >= 5_000) dates.clear()
    date = new Date(day * dayMs).toISOString().slice(0, 11)
    dates.set(day, date)
  }
  const ms = at - day * dayMs
  const seconds = Math.floor(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const rest = ms - seconds * 1_000
  return `${date}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[seconds % 60]}.${rest < 100 ? '0' : ''}${rest < 10 ? '0' : ''}${rest}Z`
}

export const isoOrNull = (at: number | null) => (at === null ? null : isoText(at))
export const reminderText = (reminder: Reminder) => (typeof reminder === 'number' ? isoText(reminder) : reminder)

export function toTaskWire(task: Task): TaskWire {
  return {
    id: task.id,
    uid: task.uid,
    key: task.key,
    title: task.title,
    description: task.description,
    expiry_dt: isoOrNull(task.expiryAt),
    time_zone: task.timeZone,
    reminders: task.reminders?.map(reminderText) ?? null,
    tags: task.tags as string[],
    priority: task.priority,
    completed_dt: isoOrNull(task.completedAt),
    snoozed_until_dt: isoOrNull(task.snoozedUntilAt),
    create_dt: isoText(task.createdAt),
    update_dt: isoText(task.updatedAt),
    version: task.version,
  }
}

/** @param kinds the kinds of the channels, by id */
export function toNotificationWire(
  notification: NotificationRecord,
  deliveries: readonly Delivery[],
  kinds: ReadonlyMap<number, string>,
): NotificationWire {
  return {
    ...toNotificationSummary(notification),
    acknowledged_dt: isoOrNull(notification.acknowledgedAt),
    deliveries: deliveries.map((delivery) => toDeliveryWire(delivery, kinds)),
  }
}

export function toDeliveryWire(delivery: Delivery, kinds: ReadonlyMap<number, string>): DeliveryWire {
  return {
    id: delivery.id,
    channel_id: delivery.channelId,
    kind: kinds.get(delivery.channelId) ?? 'unknown',
    state: delivery.state,
    attempts: delivery.attempts,
    latency_ms: delivery.latencyMs,
    error: delivery.error,
    next_attempt_dt: isoOrNull(delivery.nextAt),
  }
}

export function toNotificationSummary(notification: Notification) {
  return {
    id: notification.id,
    task_id: notification.taskId,
    kind: notification.kind,
    reminder: notification.reminder === null ? null : reminderText(notification.reminder),
    expiry_dt: isoText(notification.expiryAt),
    due_dt: isoText(notification.dueAt),
    fired_dt: isoText(notification.firedAt),
    timing: notification.timing,
    lateness_ms: notification.latenessMs,
  }
}

/**
 * CloudEvents 1.0, JSON format. `type` follows the moment of sending, `id` is the same on every channel. On one that gathers it is of
 * the first that rang, and `others` are what else is told by it.
 */
export function toCloudEvent(message: SentenceInput & Partial<Pick<Message, 'others' | 'links'>>) {
  const { task, notification, sentAt, others = [], links = null } = message
  return {
    specversion: '1.0',
    id: `notification-${notification.id}`,
    source: 'duebell',
    type: sentAt < notification.expiryAt ? 'task.expiring' : 'task.expired',
    subject: `tasks/${task.id}`,
    time: isoText(notification.firedAt),
    datacontenttype: 'application/json',
    data: {
      ...toData({ ...message, links }),
      ...(others.length > 0 && { others: others.map((item) => toData({ ...item, sentAt })) }),
    },
  }
}

function toData(said: SentenceInput & Pick<Message, 'links'>) {
  const { task, notification, links } = said
  return {
    task: toTaskWire(task),
    notification: toNotificationSummary(notification),
    message: sentence(said),
    ...(links && { links }),
  }
}

export function toEtag({ version }: { version: number }): string {
  return `"${version}"`
}

/**
 * The ETag of a collection: the number of its user's last change. To be read before the collection itself: one that is older than
 * what it stands for costs a reader one more look, one that is newer would hide a change.
 *
 * With its user: two people who sign in to one browser one after the other ask for the same address, and where both have come to the
 * same number, a 304 would show the one what the browser has kept of the other.
 */
export function toCollectionEtag(userId: number, lastChange: number): string {
  return `"c${lastChange}.${userId}"`
}

/**
 * What an If-Match header allows of a collection: the number of its last change. Without a user, as ETags once were, it is the caller's.
 * @throws Problem `malformed`, `stale` for another user's
 */
export function parseCollectionIfMatch(userId: number, header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const [, number, user = userId] = /^\s*"c(\d{1,15})(?:\.(\d{1,15}))?"\s*$/.exec(header) ?? []
  if (number === undefined) throw new Problem('malformed', 'If-Match must be the ETag of the list, like "c12.1", or *.')
  if (Number(user) !== userId) throw new Problem('stale', 'The ETag in If-Match is not one of this list.')
  return Number(number)
}

// ── in ──

/**
 * RFC 3339 with a space for the T and without seconds allowed; without an offset a wall time; a date alone is its midnight.
 * An RFC 9557 suffix names the zone, and must agree with the offset.
 */
const timeForm =
  /^(?<date>\d{4}-\d\d-\d\d)(?:[Tt ](?<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?<offset>[Zz]|[+-]\d\d:?\d\d)?)?(?:\[!?(?<zone>[A-Za-z][\w+/-]*)\])?$/

/** @returns undefined when the text is no time of this form, or of no calendar */
export function parseTime(text: string): DateTimeInput | undefined {
  const { date, clock = '00:00', offset, zone } = timeForm.exec(text)?.groups ?? {}
  if (date === undefined) return undefined
  const timeZone = zone === undefined ? undefined : parseTimeZone(zone)
  if (zone !== undefined && timeZone === undefined) return undefined
  try {
    if (offset === undefined) {
      const local = Temporal.PlainDateTime.from(`${date}T${clock}`)
      return timeZone === undefined ? { local } : { local, timeZone }
    }
    if (timeZone === undefined) return { at: Temporal.Instant.from(`${date}T${clock}${offset}`).epochMilliseconds }
    return { at: Temporal.ZonedDateTime.from(`${date}T${clock}${offset}[${timeZone}]`).epochMilliseconds, timeZone }
  } catch {
    return undefined
  }
}

const timeHint = 'must be a time like "2026-12-01T10:00:00+01:00", "2026-12-01T10:00" or "2026-12-01"'

/** @throws Problem `invalid` naming every time that cannot be read, below `pointer` */
export function toPatch(wire: Omit<TaskPatchWire, 'id' | 'version'>, pointer = ''): TaskPatch {
  const faults: Fault[] = []
  const moment = (member: string, text: string): DateTimeInput => {
    const parsed = parseTime(text)
    if (!parsed) faults.push({ at: { pointer: `${pointer}/${member}` }, detail: timeHint })
    return parsed ?? { at: 0 }
  }
  const patch: { -readonly [K in keyof TaskPatch]: TaskPatch[K] } = {}
  if (wire.key !== undefined) patch.key = wire.key
  if (wire.title !== undefined) patch.title = wire.title
  if (wire.description !== undefined) patch.description = wire.description
  if (wire.time_zone !== undefined) patch.timeZone = wire.time_zone
  if (wire.tags !== undefined) patch.tags = wire.tags
  if (wire.priority !== undefined) patch.priority = wire.priority
  if (wire.expiry_dt !== undefined) patch.expiry = wire.expiry_dt === null ? null : moment('expiry_dt', wire.expiry_dt)
  if (wire.completed_dt !== undefined)
    patch.completed = wire.completed_dt === null ? null : moment('completed_dt', wire.completed_dt)
  if (wire.reminders !== undefined)
    patch.reminders =
      wire.reminders?.map((text, i) => (/^\d/.test(text) ? moment(`reminders/${i}`, text) : text)) ?? null
  if (faults.length > 0) throw new Problem('invalid', formatFaults(faults), { faults })
  return patch
}

/** @throws Problem `invalid` */
export function toDraft(wire: TaskDraftWire): TaskDraft {
  const draft = { ...toPatch(wire), title: wire.title }
  return wire.uid === undefined ? draft : { ...draft, uid: wire.uid }
}

/** @throws Problem `invalid` unless exactly one of `for` and `until` is there and can be read */
export function toSnooze(wire: SnoozeWire): DateTimeInput | { forMs: number } {
  const fail = (member: string, detail: string) =>
    new Problem('invalid', `${member} ${detail}`, { faults: [{ at: { pointer: `/${member}` }, detail }] })
  if ((wire.for === undefined) === (wire.until === undefined))
    throw new Problem('invalid', 'Either "for" or "until" must be given.', {
      faults: [{ at: { pointer: '' }, detail: 'must have either "for" or "until"' }],
    })
  if (wire.until !== undefined) {
    const until = parseTime(wire.until)
    if (!until) throw fail('until', timeHint)
    return until
  }
  const span = parseSpan(wire.for as string)
  if (span === undefined)
    throw fail('for', 'must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, like "PT1H"')
  return { forMs: span }
}
