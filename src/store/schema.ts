import type { Kysely } from 'kysely'
import { changes, counters } from './tables/changes.ts'
import { channels } from './tables/channels.ts'
import { type Columns, type RowOf, storageTypes } from './tables/column.ts'
import { deliveries, notifications } from './tables/notifications.ts'
import { audit, idempotencyKeys, secrets } from './tables/server.ts'
import type { Tables } from './tables/table.ts'
import { tasks, trash } from './tables/tasks.ts'
import { recomputes, tokens, users } from './tables/users.ts'

/** All tables. Every row of user data has the id of its user. */
export const tables = {
  users,
  channels,
  tasks,
  notifications,
  deliveries,
  counters,
  changes,
  trash,
  idempotency_keys: idempotencyKeys,
  secrets,
  tokens,
  audit,
  recomputes,
} as const satisfies Tables

export type Schema = { [T in keyof typeof tables]: RowOf<(typeof tables)[T]['columns']> }

/** A connection or a transaction: the first argument of every function of the store. */
export type Db = Kysely<Schema>

export type UserTable = Schema['users']
export type RecomputeTable = Schema['recomputes']
export type ChannelTable = Schema['channels']
export type TaskTable = Schema['tasks']
export type TrashTable = Schema['trash']
export type NotificationTable = Schema['notifications']
export type DeliveryTable = Schema['deliveries']
export type ChangeTable = Schema['changes']
export type IdempotencyKeyTable = Schema['idempotency_keys']
export type TokenTable = Schema['tokens']
export type AuditTable = Schema['audit']

/** The type of a column, for statements that pass many rows in one parameter. */
export function storageType(table: keyof Schema, column: string): 'integer' | 'text' {
  const { kind } = (tables[table].columns as Columns)[column] ?? {}
  if (kind === undefined) throw new Error(`the table ${table} has no column ${column}`)
  return storageTypes[kind]
}
