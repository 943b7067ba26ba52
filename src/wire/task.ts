import type { SnoozeWire, TaskDraftWire, TaskPatchWire, TaskWire } from '#api/schemas/task.ts'
import type { DateTimeInput } from '#core/date-time.ts'
import { parseSpan } from '#core/duration.ts'
import { type Fault, formatFaults, invalidMember, Problem } from '#core/problem.ts'
import type { Reminder, Task, TaskDraft, TaskPatch } from '#core/task.ts'
import { recurrenceText, toRecurrenceWire } from './recurrence.ts'
import { isoOrNull, isoText, parseTime, timeHint } from './time.ts'

// ── out ──

export const reminderText = (reminder: Reminder) => (typeof reminder === 'number' ? isoText(reminder) : reminder)

export function toTaskWire(task: Task): TaskWire {
  return {
    id: task.id,
    uid: task.uid,
    key: task.key,
    title: task.title,
    description: task.description,
    expiry_dt: isoOrNull(task.expiryAt),
    expiry_date: task.expiryDate,
    time_zone: task.timeZone,
    reminders: task.reminders?.map(reminderText) ?? null,
    tags: task.tags as string[],
    priority: task.priority,
    completed_dt: isoOrNull(task.completedAt),
    snoozed_until_dt: isoOrNull(task.snoozedUntilAt),
    recurrence: toRecurrenceWire(task),
    recurrence_text: recurrenceText(task),
    occurrence: task.occurrence,
    previous_id: task.previousId,
    next_id: task.nextId,
    create_dt: isoText(task.createdAt),
    update_dt: isoText(task.updatedAt),
    version: task.version,
  }
}

// ── in ──

/** @throws Problem `invalid` naming every time that cannot be read, below `pointer` */
export function toPatch(wire: Omit<TaskPatchWire, 'id' | 'version'>, pointer = ''): TaskPatch {
  const faults: Fault[] = []
  const toInput = (member: string, text: string): DateTimeInput => {
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
  if (wire.recurrence !== undefined) patch.recurrence = wire.recurrence && { from: 'expiry', ...wire.recurrence }
  if (wire.expiry_dt !== undefined) patch.expiry = wire.expiry_dt === null ? null : toInput('expiry_dt', wire.expiry_dt)
  if (wire.expiry_date !== undefined) patch.expiryDate = wire.expiry_date
  if (wire.completed_dt !== undefined)
    patch.completed = wire.completed_dt === null ? null : toInput('completed_dt', wire.completed_dt)
  if (wire.reminders !== undefined)
    patch.reminders =
      wire.reminders?.map((text, i) => (/^\d/.test(text) ? toInput(`reminders/${i}`, text) : text)) ?? null
  if (faults.length > 0) throw new Problem('invalid', formatFaults(faults), { faults })
  return patch
}

/** @throws Problem `invalid`, below `pointer` */
export function toDraft(wire: TaskDraftWire, pointer = ''): TaskDraft {
  const draft = { ...toPatch(wire, pointer), title: wire.title }
  return wire.uid === undefined ? draft : { ...draft, uid: wire.uid }
}

/** The text of a snooze that is neither an ISO time nor an ISO duration, and so may be words. */
export function snoozeWords(wire: SnoozeWire): string | undefined {
  if (wire.until !== undefined) return wire.for === undefined && !parseTime(wire.until) ? wire.until : undefined
  return wire.for !== undefined && !parseSpan(wire.for) ? wire.for : undefined
}

/**
 * @param words the meaning of the words, if they are some: for `until` a time, for `for` a span
 * @throws Problem `invalid` unless exactly one of `for` and `until` is there and can be read
 */
export function toSnooze(
  wire: SnoozeWire,
  words?: { readonly until: DateTimeInput; readonly forMs: number },
): DateTimeInput | { forMs: number } {
  if ((wire.for === undefined) === (wire.until === undefined))
    throw new Problem('invalid', 'Either "for" or "until" must be given.', {
      faults: [{ at: { pointer: '' }, detail: 'must have either "for" or "until"' }],
    })
  if (wire.until !== undefined) {
    const until = parseTime(wire.until) ?? words?.until
    if (!until) throw invalidMember('/until', `${timeHint}, or a time in words like "tomorrow 9am"`)
    return until
  }
  const span = parseSpan(wire.for as string) ?? words?.forMs
  if (span === undefined)
    throw invalidMember(
      '/for',
      'must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, like "PT1H", or words like "2h"',
    )
  return { forMs: span }
}
