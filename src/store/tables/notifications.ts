import type { DeliveryState } from '#core/delivery.ts'
import type { NotificationKind, Timing } from '#core/notification.ts'
import { count, duration, id, instant, reference, text, uuid } from './column.ts'
import { table } from './table.ts'

export const notifications = table(
  {
    id: id(),
    user_id: reference(),
    task_id: reference(),
    kind: text<NotificationKind>(10),
    reminder: text(50).orNull(),
    expiry_at: instant(),
    due_at: instant(),
    fired_at: instant(),
    timing: text<Timing>(10),
    lateness_ms: duration(),
    acknowledged_at: instant().orNull(),
  },
  {
    // A notification is unique by its task, expiry and instant. The index also finds the notifications of a task.
    unique: { notifications_instant: ['task_id', 'expiry_at', 'due_at'] },
    indexes: { notifications_user: ['user_id', 'id'] },
  },
)

export const deliveries = table(
  {
    notification_id: reference(),
    channel_id: reference(),
    id: uuid(),
    user_id: reference(),
    state: text<DeliveryState>(10),
    attempts: count(),
    /** Set while an attempt is claimed; then `next_at` is the end of its lease. */
    claimed_at: instant().orNull(),
    next_at: instant().orNull(),
    latency_ms: duration().orNull(),
    error: text(500).orNull(),
    finished_at: instant().orNull(),
    /** The attempt from which the back-off counts. A retry by the user restarts it, while `attempts` only grows. */
    backoff_from: count().default(0),
    /** Deliveries with the same group id are sent as one message. It is the same for all attempts. */
    group_id: uuid().orNull(),
    /** Above 0: it was sent and is, or will be at `next_at`, repeated for this many-th time. */
    repeats: count().default(0),
    /** When the attempts began; null before the first failed attempt. */
    trying_since_at: instant().orNull(),
  },
  {
    // Rows are inserted and updated by these columns. By the id, which grows as well, both would cost half as much again.
    primaryKey: { deliveries_key: ['notification_id', 'channel_id'] },
    indexes: {
      deliveries_due: { columns: ['channel_id', 'next_at'], notNull: 'next_at' },
      // Only where it leaves out deliveries without an error.
      deliveries_error: { columns: ['user_id', 'notification_id', 'error'], where: '"error" is not null' },
    },
  },
)
