import type { Generated, Kysely } from 'kysely'
import type { Role, TokenKind } from '#core/account.ts'
import type { ChangeKind } from '#core/change.ts'
import type { ChannelSource } from '#core/channel.ts'
import type { DeliveryState } from '#core/delivery.ts'
import type { NotificationKind, Timing } from '#core/notification.ts'
import type { Scope } from '#core/scope.ts'
import type { Priority } from '#core/task.ts'

/**
 * The tables. Instants are integers (ms since 1970, UTC), so the time, zone and precision of a database do not matter. Lists are JSON
 * text. Every row of user data has the id of its user.
 */
export interface Schema {
  users: UserTable
  channels: ChannelTable
  tasks: TaskTable
  notifications: NotificationTable
  deliveries: DeliveryTable
  counters: CounterTable
  changes: ChangeTable
  trash: TrashTable
  idempotency_keys: IdempotencyKeyTable
  secrets: SecretTable
  tokens: TokenTable
  audit: AuditTable
  recomputes: RecomputeTable
}

/** A connection or a transaction: the first argument of every function of the store. */
export type Db = Kysely<Schema>

export interface UserTable {
  id: Generated<number>
  /** The defaults with which the alarms of this user's tasks were computed. */
  default_reminders: string
  time_zone: string
  created_at: number
  /** `HH:MM` in the user's zone; both or neither. */
  quiet_from: string | null
  quiet_until: string | null
  name: string | null
  email: string | null
  role: Generated<Role>
  /** Argon2id, as a PHC string. */
  password: string | null
  identity: string | null
  disabled_at: number | null
  removed_at: number | null
  own_time_zone: string | null
  own_reminders: string | null
  /** 1: some alarms were not computed with these defaults yet. */
  alarms_stale: Generated<number>
  /** When the above last changed; another one for each change. */
  alarms_stale_at: number | null
  version: Generated<number>
}

/** How far the alarms of a user have been computed anew. Tasks are walked by expiry: from `begun_at` on, then those before it. */
export interface RecomputeTable {
  user_id: number
  /** The change that it is for: the user's `alarms_stale_at`. */
  stale_at: number
  begun_at: number
  /** 1: all that expire from `begun_at` on are done. */
  is_past: number
  expiry_at: number
  task_id: number
  /** How many tasks have been computed. */
  tasks: number
}

export interface ChannelTable {
  id: Generated<number>
  user_id: number
  name: string
  kind: string
  source: ChannelSource
  created_at: number
  /** Set while it is missing in the configuration, or after a user has deleted it. */
  removed_at: number | null
  options: string | null
  enabled: Generated<number>
  disabled_reason: string | null
  tags: string | null
  notifications: string | null
  group_wait_ms: number | null
  repeat_every_ms: number | null
  repeat_max: number | null
  ignores_quiet_hours: Generated<number>
  failing_at: number | null
  given_up_at: number | null
  last_sent_at: number | null
  last_error: string | null
  /** The receiver accepts no messages before this instant. */
  held_until_at: number | null
  updated_at: Generated<number>
  version: Generated<number>
}

export interface TaskTable {
  id: Generated<number>
  user_id: number
  uid: string
  key: string | null
  title: string
  description: string | null
  expiry_at: number | null
  time_zone: string | null
  reminders: string | null
  tags: string
  priority: Priority
  completed_at: number | null
  snoozed_until_at: number | null
  created_at: number
  updated_at: number
  version: number
  notify_at: number | null
  fired_until_at: number | null
}

/** A deleted task: its row without the alarm. */
export interface TrashTable extends Omit<TaskTable, 'id' | 'notify_at'> {
  id: number
  deleted_at: number
  batch: string
}

export interface NotificationTable {
  id: Generated<number>
  user_id: number
  task_id: number
  kind: NotificationKind
  reminder: string | null
  expiry_at: number
  due_at: number
  fired_at: number
  timing: Timing
  lateness_ms: number
  acknowledged_at: number | null
}

export interface DeliveryTable {
  id: string
  notification_id: number
  user_id: number
  channel_id: number
  state: DeliveryState
  attempts: number
  /** Set while an attempt is claimed; then `next_at` is the end of its lease. */
  claimed_at: number | null
  next_at: number | null
  latency_ms: number | null
  error: string | null
  finished_at: number | null
  /** The attempt from which the back-off counts. */
  backoff_from: Generated<number>
  /** Deliveries with the same group id are sent as one message. */
  group_id: string | null
  /** Above 0: it was sent and is, or will be at `next_at`, repeated for this many-th time. */
  repeats: Generated<number>
  /** When the attempts began; null before the first failed attempt. */
  trying_since_at: number | null
}

export interface CounterTable {
  user_id: number
  /** The number of the user's last change. */
  changes: number
  /** Changes up to this number were trimmed from the log. */
  forgotten: Generated<number>
}

export interface ChangeTable {
  user_id: number
  number: number
  task_id: number | null
  kind: ChangeKind
  changed_at: number
  /** For many tasks at once: their batch in the trash, and their number. */
  batch: string | null
  count: number | null
  /** For a notification: its id, and the channel on which it failed. */
  notification_id: number | null
  channel_id: number | null
}

export interface IdempotencyKeyTable {
  user_id: number
  key: string
  fingerprint: string
  status: number
  headers: string
  body: string
  created_at: number
}

export interface TokenTable {
  id: Generated<number>
  user_id: number
  kind: TokenKind
  name: string
  /** SHA-256 in base64url. A token of 256 random bits needs no salt and no slow hash. */
  hash: string
  hint: string
  scope: Scope
  created_at: number
  expires_at: number | null
  last_used_at: number | null
  /** The token that created it. Not a foreign key: an expired parent is deleted before its children. */
  parent_id: number | null
}

/** Users and tokens are stored by name, because an entry outlives them. */
export interface AuditTable {
  id: Generated<number>
  at: number
  user_id: number | null
  who: string | null
  by_kind: string | null
  by_name: string | null
  operation: string
  object: string
  status: number
  address: string | null
  request_id: string
}

export interface SecretTable {
  name: string
  value: string
}
