import type { ChangeKind } from '#core/change.ts'
import { count, instant, reference, text, uuid } from './column.ts'
import { table } from './table.ts'

/** The counter that numbers the changes of a user. Not a column of users: its row is locked by every transaction that changes something. */
export const counters = table(
  {
    user_id: reference(),
    /** The number of the user's last change. */
    changes: count(),
    /** Changes up to this number were purged. */
    forgotten: count().default(0),
  },
  { primaryKey: 'user_id' },
)

export const changes = table(
  {
    user_id: reference(),
    number: count(),
    task_id: reference().orNull(),
    kind: text<ChangeKind>(20),
    changed_at: instant(),
    /** For many tasks at once: their batch in the trash, and their number. */
    batch: uuid().orNull(),
    count: count().orNull(),
    /** For a notification: its id, and the channel on which it failed. */
    notification_id: reference().orNull(),
    channel_id: reference().orNull(),
  },
  { primaryKey: { changes_number: ['user_id', 'number'] } },
)
