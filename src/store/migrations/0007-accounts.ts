import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** Several people on one server: who they are, by what they are known, and what each has done. */
export function accounts(dialect: Dialect): Migration {
  const { id, integer, text, longText, tableEnd } = dialect.words()
  const { addColumn, createIndex } = repeatable(dialect)
  return {
    async up(db) {
      const owners = () => db.schema.alterTable('owners')
      await addColumn(owners().addColumn('name', text(50)))
      await addColumn(owners().addColumn('email', text(254)))
      // Whoever was there before there were accounts has the server to himself.
      await addColumn(owners().addColumn('role', text(10), (c) => c.notNull().defaultTo('admin')))
      await addColumn(owners().addColumn('password', text(200)))
      // Who he is to the provider of OpenID Connect: its URL and, behind a space, its name for him.
      await addColumn(owners().addColumn('identity', text(600)))
      await addColumn(owners().addColumn('disabled_at', integer))
      await addColumn(owners().addColumn('removed_at', integer))
      // What he has chosen himself. What his alarms are computed with stands beside it, chosen or not.
      await addColumn(owners().addColumn('own_time_zone', text(100)))
      await addColumn(owners().addColumn('own_reminders', text(2_000)))
      await addColumn(owners().addColumn('alarms_stale', integer, (c) => c.notNull().defaultTo(0)))
      await addColumn(owners().addColumn('version', integer, (c) => c.notNull().defaultTo(1)))
      await createIndex(db.schema.createIndex('owners_name').unique().on('owners').column('name'), 'name')
      await createIndex(db.schema.createIndex('owners_email').unique().on('owners').column('email'), 'email')
      await createIndex(db.schema.createIndex('owners_identity').unique().on('owners').column('identity'), 'identity')

      await db.schema
        .createTable('tokens')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('owner_id', integer, (c) => c.notNull())
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
      await createIndex(db.schema.createIndex('tokens_owner').on('tokens').columns(['owner_id', 'id']))
      await createIndex(db.schema.createIndex('tokens_expires').on('tokens').column('expires_at'), 'expires_at')

      await db.schema
        .createTable('audit')
        .ifNotExists()
        .addColumn('id', id)
        .addColumn('at', integer, (c) => c.notNull())
        // Without a key to owners: it outlasts them.
        .addColumn('owner_id', integer)
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
      await createIndex(db.schema.createIndex('audit_owner').on('audit').columns(['owner_id', 'id']))
    },
  }
}
