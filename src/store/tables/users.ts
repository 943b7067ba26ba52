import type { Role, TokenKind } from '#core/account.ts'
import type { Scope } from '#core/scope.ts'
import { count, flag, id, instant, json, reference, text } from './column.ts'
import { table } from './table.ts'

export const users = table(
  {
    id: id(),
    /** The defaults with which the alarms of this user's tasks were computed. */
    default_reminders: json(2_000),
    default_day_reminders: json(2_000),
    /** `HH:MM` */
    day_time: text(5),
    time_zone: text(100),
    /** The version of the IANA database (`2026b`) by which alarms were computed. */
    zone_rules: text(20).default(''),
    created_at: instant(),
    /** `HH:MM` in the user's zone; both or neither. */
    quiet_from: text(5).orNull(),
    quiet_until: text(5).orNull(),
    name: text(50).orNull(),
    email: text(254).orNull(),
    // The user of a server without accounts is its administrator.
    role: text<Role>(10).default('admin'),
    /** Argon2id, as a PHC string. */
    password: text(200).orNull(),
    /** At the OpenID Connect provider: the URL of the provider and, after a space, its subject. */
    identity: text(600).orNull(),
    disabled_at: instant().orNull(),
    removed_at: instant().orNull(),
    /** The user's own choices. Other columns have the effective values, by which alarms are computed. */
    own_time_zone: text(100).orNull(),
    own_reminders: json(2_000).orNull(),
    own_day_reminders: json(2_000).orNull(),
    own_day_time: text(5).orNull(),
    /** 1: some alarms were not computed with these defaults yet. */
    alarms_stale: flag().default(0),
    version: count().default(1),
    /** When the defaults last changed; another one for each change. */
    alarms_stale_at: instant().orNull(),
  },
  {
    indexes: {
      users_name: { columns: ['name'], unique: true, notNull: 'name' },
      users_email: { columns: ['email'], unique: true, notNull: 'email' },
      users_identity: { columns: ['identity'], unique: true, notNull: 'identity' },
    },
  },
)

/**
 * How far the alarms of a user have been computed anew after a change of default reminders or time zone, so that it goes on there after
 * a restart. Tasks are walked by expiry: from `begun_at` on, then those before it. A table of its own: while a chunk holds this row,
 * those who write tasks share the row of the user.
 */
export const recomputes = table(
  {
    user_id: reference(),
    /** The change that it is for: the user's `alarms_stale_at`. */
    stale_at: instant(),
    begun_at: instant(),
    /** 1: all that expire from `begun_at` on are done. */
    is_past: flag(),
    expiry_at: instant(),
    task_id: reference(),
    /** How many tasks have been computed. */
    tasks: count(),
  },
  { primaryKey: 'user_id' },
)

export const tokens = table(
  {
    id: id(),
    user_id: reference(),
    kind: text<TokenKind>(12),
    name: text(100),
    /** SHA-256 in base64url. A token of 256 random bits needs no salt and no slow hash. */
    hash: text(43),
    hint: text(20),
    scope: text<Scope>(10),
    created_at: instant(),
    expires_at: instant().orNull(),
    last_used_at: instant().orNull(),
    /** The token that created it, so that it is revoked with it; null: created by a session, or on the server itself. */
    parent_id: reference().orNull(),
  },
  {
    unique: { tokens_hash: ['hash'] },
    indexes: {
      tokens_user: ['user_id', 'id'],
      tokens_expires: { columns: ['expires_at'], notNull: 'expires_at' },
      tokens_parent: { columns: ['parent_id'], notNull: 'parent_id' },
    },
  },
)
