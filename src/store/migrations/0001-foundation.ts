import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

export function foundation(dialect: Dialect): Migration {
  const { id, integer, text, longText, tableEnd } = dialect.columnSyntax()
  const { createIndex } = repeatable(dialect)

  return {
    async up(db) {
      await db.schema
        .createTable('users')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('default_reminders', text(2000), (c) => c.notNull())
        .addColumn('time_zone', text(100), (c) => c.notNull())
        .addColumn('created_at', integer, (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()

      await db.schema
        .createTable('channels')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('name', text(100), (c) => c.notNull())
        .addColumn('kind', text(50), (c) => c.notNull())
        .addColumn('source', text(20), (c) => c.notNull())
        .addColumn('created_at', integer, (c) => c.notNull())
        .addColumn('removed_at', integer)
        .addUniqueConstraint('channels_name', ['user_id', 'name'])
        .modifyEnd(tableEnd(false))
        .execute()

      await db.schema
        .createTable('tasks')
        .ifNotExists()
        .addColumn('id', id)
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
        .addColumn('notify_at', integer)
        .addColumn('fired_until_at', integer)
        .addUniqueConstraint('tasks_uid', ['user_id', 'uid'])
        .modifyEnd(tableEnd(false))
        .execute()
      // Most tasks have no key. Where the database allows it, the index leaves them out.
      await createIndex(db.schema.createIndex('tasks_key').unique().on('tasks').columns(['user_id', 'key']), 'key')
      // For lists of a user's tasks. Without it SQLite uses another index of user_id and sorts: 60 ms for a page of a million tasks.
      await createIndex(db.schema.createIndex('tasks_user').on('tasks').columns(['user_id', 'id']))
      // The queue of reminders.
      await createIndex(db.schema.createIndex('tasks_notify_at').on('tasks').column('notify_at'), 'notify_at')

      await db.schema
        .createTable('notifications')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('task_id', integer, (c) => c.notNull())
        .addColumn('kind', text(10), (c) => c.notNull())
        .addColumn('reminder', text(50))
        .addColumn('expiry_at', integer, (c) => c.notNull())
        .addColumn('due_at', integer, (c) => c.notNull())
        .addColumn('fired_at', integer, (c) => c.notNull())
        .addColumn('timing', text(10), (c) => c.notNull())
        .addColumn('lateness_ms', integer, (c) => c.notNull())
        // A notification is unique by its task, expiry and instant. The index also finds the notifications of a task.
        .addUniqueConstraint('notifications_instant', ['task_id', 'expiry_at', 'due_at'])
        .modifyEnd(tableEnd(false))
        .execute()

      await createIndex(db.schema.createIndex('notifications_user').on('notifications').columns(['user_id', 'id']))

      await db.schema
        .createTable('deliveries')
        .ifNotExists()
        .addColumn('notification_id', integer, (c) => c.notNull())
        .addColumn('channel_id', integer, (c) => c.notNull())
        .addColumn('id', text(36), (c) => c.notNull())
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('state', text(10), (c) => c.notNull())
        .addColumn('attempts', integer, (c) => c.notNull())
        .addColumn('claimed_at', integer)
        .addColumn('next_at', integer)
        .addColumn('latency_ms', integer)
        .addColumn('error', text(500))
        .addColumn('finished_at', integer)
        // Rows are inserted and updated by these columns. By the id, which grows as well, both would cost half as much again.
        .addPrimaryKeyConstraint('deliveries_key', ['notification_id', 'channel_id'])
        .modifyEnd(tableEnd(true))
        .execute()
      await createIndex(
        db.schema.createIndex('deliveries_due').on('deliveries').columns(['channel_id', 'next_at']),
        'next_at',
      )
    },
  }
}
