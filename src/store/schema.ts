import type { Generated, Kysely } from 'kysely'
import type { Role, TokenKind } from '#core/account.ts'
import type { ChangeKind } from '#core/change.ts'
import type { ChannelSource } from '#core/channel.ts'
import type { DeliveryState } from '#core/delivery.ts'
import type { NotificationKind, Timing } from '#core/notification.ts'
import type { Scope } from '#core/scope.ts'
import type { Priority } from '#core/task.ts'

/**
 * The tables. Instants are integers (ms since 1970, UTC), so no database is asked for its time, zone or precision; lists are
 * JSON text; whatever a person owns carries its user.
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

/** A connection or a transaction: the first argument of everything in this room. */
export type Db = Kysely<Schema>

export interface UserTable {
  id: Generated<number>
  /** What the alarms of this user's tasks were computed with. */
  default_reminders: string
  time_zone: string
  created_at: number
  /** `HH:MM` by the user's zone; both or neither. */
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
  /** 1: not all alarms were computed with the above yet. */
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
  /** Set while it is no longer in the configuration, or since a person has deleted it. */
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
  /** The receiver has asked not to be sent anything before this instant. */
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

/** A deleted task: its row but for the alarm. */
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
  /** Set while an attempt is in hand; then `next_at` is the end of its lease. */
  claimed_at: number | null
  next_at: number | null
  latency_ms: number | null
  error: string | null
  finished_at: number | null
  /** The attempt from which the back-off counts. */
  backoff_from: Generated<number>
  /** Told in one message with the others that have it. */
  group_id: string | null
  /** Above 0: it was told and is, or will be at `next_at`, told again for the so many-th time. */
  repeats: Generated<number>
  /** The instant from which the time until it is given up counts; null before the first failed attempt. */
  trying_since_at: number | null
}

export interface CounterTable {
  user_id: number
  /** The number of the user's last change. */
  changes: number
  /** Changes up to this number are not in the list any more. */
  forgotten: Generated<number>
}

export interface ChangeTable {
  user_id: number
  number: number
  task_id: number | null
  kind: ChangeKind
  changed_at: number
  /** Of many tasks at once: the batch in the trash, and how many. */
  batch: string | null
  count: number | null
  /** Of a bell: what rang, or could not be delivered, and where. */
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
  /** SHA-256 in base64url: of what has 256 random bits no salt and no slow hash is needed. */
  hash: string
  hint: string
  scope: Scope
  created_at: number
  expires_at: number | null
  last_used_at: number | null
  /** The token that made it. Not a foreign key: an expired parent is deleted before its children. */
  parent_id: number | null
}

/** Who did what. By names, as they were: it outlasts users and tokens. */
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

/** What each column holds, for statements that carry many rows in one parameter. */
export const columnTypes: { readonly [T in keyof Schema]: { readonly [C in keyof Schema[T]]: 'integer' | 'text' } } = {
  users: {
    id: 'integer',
    default_reminders: 'text',
    time_zone: 'text',
    created_at: 'integer',
    quiet_from: 'text',
    quiet_until: 'text',
    name: 'text',
    email: 'text',
    role: 'text',
    password: 'text',
    identity: 'text',
    disabled_at: 'integer',
    removed_at: 'integer',
    own_time_zone: 'text',
    own_reminders: 'text',
    alarms_stale: 'integer',
    alarms_stale_at: 'integer',
    version: 'integer',
  },
  channels: {
    id: 'integer',
    user_id: 'integer',
    name: 'text',
    kind: 'text',
    source: 'text',
    created_at: 'integer',
    removed_at: 'integer',
    options: 'text',
    enabled: 'integer',
    disabled_reason: 'text',
    tags: 'text',
    notifications: 'text',
    group_wait_ms: 'integer',
    repeat_every_ms: 'integer',
    repeat_max: 'integer',
    ignores_quiet_hours: 'integer',
    failing_at: 'integer',
    given_up_at: 'integer',
    last_sent_at: 'integer',
    last_error: 'text',
    held_until_at: 'integer',
    updated_at: 'integer',
    version: 'integer',
  },
  tasks: {
    id: 'integer',
    user_id: 'integer',
    uid: 'text',
    key: 'text',
    title: 'text',
    description: 'text',
    expiry_at: 'integer',
    time_zone: 'text',
    reminders: 'text',
    tags: 'text',
    priority: 'text',
    completed_at: 'integer',
    snoozed_until_at: 'integer',
    created_at: 'integer',
    updated_at: 'integer',
    version: 'integer',
    notify_at: 'integer',
    fired_until_at: 'integer',
  },
  notifications: {
    id: 'integer',
    user_id: 'integer',
    task_id: 'integer',
    kind: 'text',
    reminder: 'text',
    expiry_at: 'integer',
    due_at: 'integer',
    fired_at: 'integer',
    timing: 'text',
    lateness_ms: 'integer',
    acknowledged_at: 'integer',
  },
  deliveries: {
    id: 'text',
    notification_id: 'integer',
    user_id: 'integer',
    channel_id: 'integer',
    state: 'text',
    attempts: 'integer',
    claimed_at: 'integer',
    next_at: 'integer',
    latency_ms: 'integer',
    error: 'text',
    finished_at: 'integer',
    backoff_from: 'integer',
    group_id: 'text',
    repeats: 'integer',
    trying_since_at: 'integer',
  },
  counters: { user_id: 'integer', changes: 'integer', forgotten: 'integer' },
  changes: {
    user_id: 'integer',
    number: 'integer',
    task_id: 'integer',
    kind: 'text',
    changed_at: 'integer',
    batch: 'text',
    count: 'integer',
    notification_id: 'integer',
    channel_id: 'integer',
  },
  trash: {
    id: 'integer',
    user_id: 'integer',
    uid: 'text',
    key: 'text',
    title: 'text',
    description: 'text',
    expiry_at: 'integer',
    time_zone: 'text',
    reminders: 'text',
    tags: 'text',
    priority: 'text',
    completed_at: 'integer',
    snoozed_until_at: 'integer',
    created_at: 'integer',
    updated_at: 'integer',
    version: 'integer',
    fired_until_at: 'integer',
    deleted_at: 'integer',
    batch: 'text',
  },
  idempotency_keys: {
    user_id: 'integer',
    key: 'text',
    fingerprint: 'text',
    status: 'integer',
    headers: 'text',
    body: 'text',
    created_at: 'integer',
  },
  secrets: { name: 'text', value: 'text' },
  tokens: {
    id: 'integer',
    user_id: 'integer',
    kind: 'text',
    name: 'text',
    hash: 'text',
    hint: 'text',
    scope: 'text',
    created_at: 'integer',
    expires_at: 'integer',
    last_used_at: 'integer',
    parent_id: 'integer',
  },
  audit: {
    id: 'integer',
    at: 'integer',
    user_id: 'integer',
    who: 'text',
    by_kind: 'text',
    by_name: 'text',
    operation: 'text',
    object: 'text',
    status: 'integer',
    address: 'text',
    request_id: 'text',
  },
  recomputes: {
    user_id: 'integer',
    stale_at: 'integer',
    begun_at: 'integer',
    is_past: 'integer',
    expiry_at: 'integer',
    task_id: 'integer',
    tasks: 'integer',
  },
}
