import type { Priority, RecurrenceFrom, Reminder } from '#core/task.ts'
import { count, id, instant, json, longJson, longText, reference, text, uuid } from './column.ts'
import { table } from './table.ts'

/** A member of `Task` in core/ is a column here, and is in the trash as well (store/task-rows.ts). */
export const tasks = table(
  {
    id: id(),
    user_id: reference(),
    uid: text(255),
    key: text(200).orNull(),
    title: text(500),
    description: longText().orNull(),
    expiry_at: instant().orNull(),
    expiry_date: text(10).orNull(),
    expiry_wall: text(150).orNull(),
    time_zone: text(100).orNull(),
    reminders: json<readonly Reminder[]>(2_000).orNull(),
    tags: longJson<readonly string[]>(),
    priority: text<Priority>(10),
    completed_at: instant().orNull(),
    snoozed_until_at: instant().orNull(),
    created_at: instant(),
    updated_at: instant(),
    version: count(),
    notify_at: instant().orNull(),
    fired_until_at: instant().orNull(),
    recurrence_rule: text(500).orNull(),
    recurrence_from: text<RecurrenceFrom>(10).orNull(),
    series_start: text(30).orNull(),
    series_scheduled: text(30).orNull(),
    occurrence: count().orNull(),
    previous_id: reference().orNull(),
    next_id: reference().orNull(),
  },
  {
    unique: { tasks_uid: ['user_id', 'uid'] },
    indexes: {
      // Most tasks have no key.
      tasks_key: { columns: ['user_id', 'key'], unique: true, notNull: 'key' },
      // For lists of a user's tasks. Without it SQLite uses another index of user_id and sorts: 60 ms for a page of a million tasks.
      tasks_user: ['user_id', 'id'],
      // The queue of reminders.
      tasks_notify_at: { columns: ['notify_at'], notNull: 'notify_at' },
      // For lists by expiry, the main view of every client.
      tasks_expiry: ['user_id', 'expiry_at', 'id'],
      // Only where it leaves out tasks without tags: a query by tag then costs nothing for a million of those.
      tasks_tagged: { columns: ['user_id', 'id'], where: "tags <> '[]'" },
      // The same for the reminders of occurrences to come.
      tasks_recurring: {
        columns: ['user_id', 'expiry_at', 'id'],
        where: 'recurrence_rule is not null and completed_at is null',
      },
    },
  },
)

const { id: _, notify_at: __, ...keptColumns } = tasks.columns

/**
 * A deleted task: its row without the alarm, so that SQL can move a million of them. A mark in `tasks` was rejected: every index and
 * query would carry deleted tasks along, and their uid and key must be free again.
 */
export const trash = table(
  {
    id: reference(),
    ...keptColumns,
    deleted_at: instant(),
    /** The tasks that one request deleted. They can be restored together. */
    batch: uuid(),
  },
  {
    primaryKey: 'id',
    indexes: {
      trash_user: ['user_id', 'deleted_at', 'id'],
      trash_batch: ['batch', 'id'],
      trash_deleted_at: ['deleted_at'],
    },
  },
)
