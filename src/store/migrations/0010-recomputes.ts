import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Clock } from '#clock.ts'
import type { Dialect } from '#store/dialects/dialect.ts'
import type { Schema } from '#store/schema.ts'
import { repeatable } from './repeatable.ts'

/**
 * How far the alarms of each user have been computed anew after a change of default reminders or time zone, so that it goes on there after
 * a restart. A table of its own: while a chunk holds this row, those who write tasks share the row of the user.
 */
export function recomputes(dialect: Dialect, { clock }: { clock: Pick<Clock, 'now'> }): Migration {
  const { integer, tableEnd } = dialect.columnSyntax()
  const { addColumn } = repeatable(dialect)
  return {
    async up(untyped) {
      const db = untyped as Kysely<Schema>
      await db.schema
        .createTable('recomputes')
        .ifNotExists()
        .addColumn('user_id', integer, (c) => c.primaryKey())
        .addColumn('stale_at', integer, (c) => c.notNull())
        .addColumn('begun_at', integer, (c) => c.notNull())
        .addColumn('is_past', integer, (c) => c.notNull())
        .addColumn('expiry_at', integer, (c) => c.notNull())
        .addColumn('task_id', integer, (c) => c.notNull())
        .addColumn('tasks', integer, (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()
      await addColumn(db.schema.alterTable('users').addColumn('alarms_stale_at', integer))
      // Stopped half-way by an earlier version, which stored no instant: it begins again, as that version did.
      await db
        .updateTable('users')
        .set({ alarms_stale_at: clock.now() })
        .where('alarms_stale', '=', 1)
        .where('alarms_stale_at', 'is', null)
        .execute()
    },
  }
}
