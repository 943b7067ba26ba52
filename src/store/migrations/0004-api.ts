import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** What the whole API stands on: the trash, answers kept for a repeated request, what has been acknowledged, and more about changes. */
export function api(dialect: Dialect): Migration {
  const { integer, text, longText, tableEnd, partialIndexes } = dialect.columnSyntax()
  const { createIndex, addColumn } = repeatable(dialect)
  return {
    async up(db) {
      // A task's whole row, so that a million of them move in SQL. A table of its own, not a mark in `tasks`: every index and every
      // reader there would carry the deleted along, and their uid and key must be free again.
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
        // All that one request deleted; restored together if need be.
        .addColumn('batch', text(36), (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()
      await createIndex(db.schema.createIndex('trash_user').on('trash').columns(['user_id', 'deleted_at', 'id']))
      await createIndex(db.schema.createIndex('trash_batch').on('trash').columns(['batch', 'id']))
      await createIndex(db.schema.createIndex('trash_deleted_at').on('trash').column('deleted_at'))

      // What a request with an Idempotency-Key was answered, written in the transaction of its effect.
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

      // Lists by expiry, the main screen of every face.
      await createIndex(db.schema.createIndex('tasks_expiry').on('tasks').columns(['user_id', 'expiry_at', 'id']))

      await addColumn(db.schema.alterTable('notifications').addColumn('acknowledged_at', integer))
      // The attempt from which the back-off counts: a person's retry begins it anew, while attempts only grow.
      await addColumn(
        db.schema.alterTable('deliveries').addColumn('backoff_from', integer, (c) => c.notNull().defaultTo(0)),
      )
      // Only where it can leave out the many that went well.
      if (partialIndexes)
        await createIndex(
          db.schema.createIndex('deliveries_error').on('deliveries').columns(['user_id', 'notification_id', 'error']),
          'error',
        )

      await addColumn(db.schema.alterTable('changes').addColumn('batch', text(36)))
      await addColumn(db.schema.alterTable('changes').addColumn('count', integer))
      await addColumn(db.schema.alterTable('changes').addColumn('notification_id', integer))
      await addColumn(db.schema.alterTable('changes').addColumn('channel_id', integer))
      // Changes up to this number are not in the list any more.
      await addColumn(db.schema.alterTable('counters').addColumn('forgotten', integer, (c) => c.notNull().defaultTo(0)))
    },
  }
}
