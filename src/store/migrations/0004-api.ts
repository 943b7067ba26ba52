import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** The trash, idempotency keys, acknowledged notifications, and more columns of changes. */
export function api(dialect: Dialect): Migration {
  const { integer, text, longText, tableEnd, partialIndexes } = dialect.columnSyntax()
  const { createIndex, addColumn } = repeatable(dialect)
  return {
    async up(db) {
      // The whole row of a task, so that SQL can move a million of them. A mark in `tasks` was rejected: every index and query would carry
      // deleted tasks along, and their uid and key must be free again.
      await db.schema
        .createTable('trash')
        .ifNotExists()
        .addColumn('id', integer, (c) => c.primaryKey())
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('uid', text(255), (c) => c.notNull())
        .addColumn('key', text(200))
        .addColumn('title', text(500), (c) => c.notNull())
        .addColumn('description', longText)
        .addColumn('expiry_at', integer)
        .addColumn('time_zone', text(100))
        .addColumn('reminders', text(2000))
        .addColumn('tags', longText, (c) => c.notNull())
        .addColumn('priority', text(10), (c) => c.notNull())
        .addColumn('completed_at', integer)
        .addColumn('snoozed_until_at', integer)
        .addColumn('created_at', integer, (c) => c.notNull())
        .addColumn('updated_at', integer, (c) => c.notNull())
        .addColumn('version', integer, (c) => c.notNull())
        .addColumn('fired_until_at', integer)
        .addColumn('deleted_at', integer, (c) => c.notNull())
        // The tasks that one request deleted. They can be restored together.
        .addColumn('batch', text(36), (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()
      await createIndex(db.schema.createIndex('trash_user').on('trash').columns(['user_id', 'deleted_at', 'id']))
      await createIndex(db.schema.createIndex('trash_batch').on('trash').columns(['batch', 'id']))
      await createIndex(db.schema.createIndex('trash_deleted_at').on('trash').column('deleted_at'))

      // The response to a request with an Idempotency-Key, written in the transaction of its effect.
      await db.schema
        .createTable('idempotency_keys')
        .ifNotExists()
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('key', text(255), (c) => c.notNull())
        .addColumn('fingerprint', text(64), (c) => c.notNull())
        .addColumn('status', integer, (c) => c.notNull())
        .addColumn('headers', text(2000), (c) => c.notNull())
        .addColumn('body', longText, (c) => c.notNull())
        .addColumn('created_at', integer, (c) => c.notNull())
        .addPrimaryKeyConstraint('idempotency_keys_key', ['user_id', 'key'])
        .modifyEnd(tableEnd(true))
        .execute()
      await createIndex(
        db.schema.createIndex('idempotency_keys_created_at').on('idempotency_keys').column('created_at'),
      )

      // For lists by expiry, the main view of every client.
      await createIndex(db.schema.createIndex('tasks_expiry').on('tasks').columns(['user_id', 'expiry_at', 'id']))

      await addColumn(db.schema.alterTable('notifications').addColumn('acknowledged_at', integer))
      // The attempt from which the back-off counts. A retry by the user restarts it, while `attempts` only grows.
      await addColumn(
        db.schema.alterTable('deliveries').addColumn('backoff_from', integer, (c) => c.notNull().defaultTo(0)),
      )
      // Only on databases where the index can leave out deliveries without an error.
      if (partialIndexes)
        await createIndex(
          db.schema.createIndex('deliveries_error').on('deliveries').columns(['user_id', 'notification_id', 'error']),
          'error',
        )

      await addColumn(db.schema.alterTable('changes').addColumn('batch', text(36)))
      await addColumn(db.schema.alterTable('changes').addColumn('count', integer))
      await addColumn(db.schema.alterTable('changes').addColumn('notification_id', integer))
      await addColumn(db.schema.alterTable('changes').addColumn('channel_id', integer))
      // Changes up to this number have been purged.
      await addColumn(db.schema.alterTable('counters').addColumn('forgotten', integer, (c) => c.notNull().defaultTo(0)))
    },
  }
}
