import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** User accounts, their credentials, and the audit log. */
export function accounts(dialect: Dialect): Migration {
  const { id, integer, text, longText, tableEnd } = dialect.columnSyntax()
  const { addColumn, createIndex } = repeatable(dialect)
  return {
    async up(db) {
      const users = () => db.schema.alterTable('users')
      await addColumn(users().addColumn('name', text(50)))
      await addColumn(users().addColumn('email', text(254)))
      // The user of a server without accounts is its administrator.
      await addColumn(users().addColumn('role', text(10), (c) => c.notNull().defaultTo('admin')))
      await addColumn(users().addColumn('password', text(200)))
      // The identity at the OpenID Connect provider: the URL of the provider and, after a space, its subject.
      await addColumn(users().addColumn('identity', text(600)))
      await addColumn(users().addColumn('disabled_at', integer))
      await addColumn(users().addColumn('removed_at', integer))
      // The user's own choices. Other columns have the effective values, by which alarms are computed.
      await addColumn(users().addColumn('own_time_zone', text(100)))
      await addColumn(users().addColumn('own_reminders', text(2_000)))
      await addColumn(users().addColumn('alarms_stale', integer, (c) => c.notNull().defaultTo(0)))
      await addColumn(users().addColumn('version', integer, (c) => c.notNull().defaultTo(1)))
      await createIndex(db.schema.createIndex('users_name').unique().on('users').column('name'), 'name')
      await createIndex(db.schema.createIndex('users_email').unique().on('users').column('email'), 'email')
      await createIndex(db.schema.createIndex('users_identity').unique().on('users').column('identity'), 'identity')

      await db.schema
        .createTable('tokens')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('kind', text(12), (c) => c.notNull())
        .addColumn('name', text(100), (c) => c.notNull())
        .addColumn('hash', text(43), (c) => c.notNull())
        .addColumn('hint', text(20), (c) => c.notNull())
        .addColumn('scope', text(10), (c) => c.notNull())
        .addColumn('created_at', integer, (c) => c.notNull())
        .addColumn('expires_at', integer)
        .addColumn('last_used_at', integer)
        .addUniqueConstraint('tokens_hash', ['hash'])
        .modifyEnd(tableEnd(false))
        .execute()
      await createIndex(db.schema.createIndex('tokens_user').on('tokens').columns(['user_id', 'id']))
      await createIndex(db.schema.createIndex('tokens_expires').on('tokens').column('expires_at'), 'expires_at')

      await db.schema
        .createTable('audit')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('at', integer, (c) => c.notNull())
        // Without a foreign key: entries outlast their users.
        .addColumn('user_id', integer)
        .addColumn('who', text(50))
        .addColumn('by_kind', text(12))
        .addColumn('by_name', text(100))
        .addColumn('operation', text(50), (c) => c.notNull())
        .addColumn('object', longText, (c) => c.notNull())
        .addColumn('status', integer, (c) => c.notNull())
        .addColumn('address', text(50))
        .addColumn('request_id', text(50), (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()
      await createIndex(db.schema.createIndex('audit_at').on('audit').column('at'))
      await createIndex(db.schema.createIndex('audit_user').on('audit').columns(['user_id', 'id']))
    },
  }
}
