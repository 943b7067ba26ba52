import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** Channels that users create, with their health and settings. */
export function channels(dialect: Dialect): Migration {
  const { integer, text, longText, tableEnd } = dialect.columnSyntax()
  const { addColumn } = repeatable(dialect)
  return {
    async up(db) {
      const channels = () => db.schema.alterTable('channels')
      await addColumn(channels().addColumn('options', longText))
      await addColumn(channels().addColumn('enabled', integer, (c) => c.notNull().defaultTo(1)))
      await addColumn(channels().addColumn('disabled_reason', text(500)))
      // JSON lists; null for all.
      await addColumn(channels().addColumn('tags', text(2_000)))
      await addColumn(channels().addColumn('notifications', text(100)))
      await addColumn(channels().addColumn('group_wait_ms', integer))
      await addColumn(channels().addColumn('repeat_every_ms', integer))
      await addColumn(channels().addColumn('repeat_max', integer))
      await addColumn(channels().addColumn('ignores_quiet_hours', integer, (c) => c.notNull().defaultTo(0)))
      await addColumn(channels().addColumn('failing_at', integer))
      await addColumn(channels().addColumn('given_up_at', integer))
      await addColumn(channels().addColumn('last_sent_at', integer))
      await addColumn(channels().addColumn('last_error', text(500)))
      await addColumn(channels().addColumn('updated_at', integer, (c) => c.notNull().defaultTo(0)))
      await addColumn(channels().addColumn('version', integer, (c) => c.notNull().defaultTo(1)))

      // The id of a group of deliveries in one message. It is the same for all attempts.
      await addColumn(db.schema.alterTable('deliveries').addColumn('group_id', text(36)))
      await addColumn(db.schema.alterTable('deliveries').addColumn('repeats', integer, (c) => c.notNull().defaultTo(0)))

      await addColumn(db.schema.alterTable('users').addColumn('quiet_from', text(5)))
      await addColumn(db.schema.alterTable('users').addColumn('quiet_until', text(5)))

      // Secrets that all replicas share, such as the key that signs links.
      await db.schema
        .createTable('secrets')
        .ifNotExists()
        .addColumn('name', text(50), (c) => c.primaryKey())
        .addColumn('value', text(500), (c) => c.notNull())
        .modifyEnd(tableEnd(true))
        .execute()
    },
  }
}
