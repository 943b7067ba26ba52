import type { Insertable } from 'kysely'
import type { Role } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { bumpConfigVersion } from './config-version.ts'
import { builtInChannel, recordChannels } from './declared-channels.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db, UserTable } from './schema.ts'
import { builtInUserId, evictUser, findUser, toDefaultColumns } from './users.ts'

/** Inserts, updates and deletes users. Their settings are in preferences.ts. */

/**
 * The counter from which user ids come, stored under a user id that no user has. The database's own ids are not used: PostgreSQL does
 * not know that the first id was assigned by us. No id is reused.
 */
const userNumbers = -1

export interface NewUser {
  readonly name: string
  readonly email: string | null
  readonly role: Role
  readonly password: string | null
  readonly identity: string | null
  readonly defaults: Defaults
}

/** @returns the new id. @throws Problem `conflict` when the name or the address is taken */
export async function insertUser(tx: Db, user: NewUser, now: number): Promise<number> {
  const { name, email, role, password, identity, defaults } = user
  await requireFree(tx, 0, { name, email })
  const id = builtInUserId + (await dialectOf(tx).addToCounter(tx, userNumbers, 1))
  const first = tx.selectFrom('users').select('zone_rules').where('id', '=', builtInUserId)
  const zone_rules = (await first.executeTakeFirst())?.zone_rules ?? ''
  try {
    await tx
      .insertInto('users')
      .values({
        id,
        name,
        email,
        role,
        password,
        identity,
        ...toDefaultColumns(defaults),
        zone_rules,
        created_at: now,
      })
      .execute()
  } catch (error) {
    throw toConflict(tx, error)
  }
  await recordChannels(tx, id, [builtInChannel], now)
  return id
}

/** Saves the given members of a user. @throws Problem `conflict` when the name or the address is taken */
export async function saveUser(
  tx: Db,
  id: number,
  changes: Partial<{
    name: string
    email: string | null
    role: Role
    password: string | null
    identity: string | null
    disabledAt: number | null
    removedAt: number | null
    version: number
  }>,
): Promise<void> {
  const { disabledAt, removedAt, ...same } = changes
  await requireFree(tx, id, changes)
  evictUser(tx, id)
  const row = {
    ...same,
    ...(disabledAt !== undefined && { disabled_at: disabledAt }),
    ...(removedAt !== undefined && { removed_at: removedAt }),
  }
  try {
    await tx.updateTable('users').set(row).where('id', '=', id).execute()
  } catch (error) {
    throw toConflict(tx, error)
  }
  await bumpConfigVersion(tx) // a role decides which networks channels may reach
}

async function requireFree(tx: Db, id: number, { name, email }: { name?: string | null; email?: string | null }) {
  for (const [column, value] of [
    ['name', name],
    ['email', email],
  ] as const) {
    if (value === undefined || value === null) continue
    const other = tx.selectFrom('users').select('id').where(column, '=', value).where('id', '!=', id)
    if (await other.executeTakeFirst())
      throw new Problem('conflict', `There is a user with the ${column} «${value}» already.`, {
        faults: [{ at: { pointer: `/${column}` }, detail: 'is taken' }],
      })
  }
}

/** The conflict with a name or address that another transaction has taken after `requireFree`. */
function toConflict(tx: Db, error: unknown): unknown {
  if (dialectOf(tx).classify(error) !== 'duplicate') return error
  return new Problem('conflict', 'This name or address was taken just now.', { cause: error })
}

/** Creates the first user, unless there is one. */
export async function ensureFirstUser(tx: Db, defaults: Defaults, now: number): Promise<void> {
  if (await findUser(tx, builtInUserId)) return
  // Tasks may have been taken over from the original service. Their alarms have not been computed yet.
  const tasks = tx.selectFrom('tasks').select('id').where('user_id', '=', builtInUserId).limit(1)
  const isStale = (await tasks.executeTakeFirst()) !== undefined
  const first: Partial<Insertable<UserTable>> = {
    id: builtInUserId,
    ...toDefaultColumns(defaults),
    created_at: now,
    alarms_stale: Number(isStale),
    alarms_stale_at: isStale ? now : null,
  }
  const columns = Object.keys(first) as (keyof UserTable)[]
  await dialectOf(tx).insertRows(tx, 'users', columns, [columns.map((column) => first[column])], [])
}

/** Deletes the row itself, last, when nothing refers to it. */
export async function deleteUserRow(tx: Db, id: number): Promise<void> {
  await tx.deleteFrom('counters').where('user_id', '=', id).execute()
  await tx.deleteFrom('recomputes').where('user_id', '=', id).execute()
  await tx.deleteFrom('users').where('id', '=', id).execute()
  await bumpConfigVersion(tx)
}
