import type { Selectable } from 'kysely'
import type { User } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Reminder } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, UserTable } from './schema.ts'

/** Reads users, and locks them for a change. */

export type UserRow = Selectable<UserTable>

/** The first user. Everything on a server without login belongs to them, and they are its first administrator. */
export const builtInUserId = 1

const selectUser = prepare((db, args: { id: number }) => db.selectFrom('users').selectAll().where('id', '=', args.id))

const selectShared = prepare((db, args: { id: number }) => {
  const { lockShared, userLockQueue } = dialectOf(db)
  let query = db.selectFrom('users').selectAll().where('id', '=', args.id)
  if (userLockQueue) query = query.where(userLockQueue.shared(args.id))
  return lockShared ? query.modifyEnd(lockShared) : query
})

const userCache = new WeakMap<Db, Map<number, User>>()

/**
 * The user of a write. The row is locked against changes until the transaction ends: a change of the user's defaults waits for writes
 * that use the old ones, and a deletion waits for writes that would leave data behind. It is read once in a transaction, which many
 * units of work share.
 * @throws Problem `unauthorized` when the user no longer exists
 */
export async function userInTransaction(tx: Db, id: number): Promise<User> {
  const seen = userCache.get(tx) ?? new Map<number, User>()
  userCache.set(tx, seen)
  let user = seen.get(id)
  if (!user) {
    const row = (await selectShared(tx, { id })).rows[0]
    user = row && toUser(row)
    if (!user || user.removedAt !== null) throw new Problem('unauthorized', 'This account no longer exists.')
    seen.set(id, user)
  }
  return user
}

/** Before a write: `userInTransaction` reads the user again. */
export function evictUser(tx: Db, id: number): void {
  userCache.get(tx)?.delete(id)
}

/** The defaults for alarms. @throws Problem `unauthorized` when the user no longer exists */
export async function defaultsInTransaction(tx: Db, userId: number): Promise<Defaults> {
  return (await userInTransaction(tx, userId)).defaults
}

/** For `preferences.ts`. */
export async function findUserRow(db: Db, id: number): Promise<UserRow | undefined> {
  return (await selectUser(db, { id })).rows[0]
}

export async function findUser(db: Db, id: number): Promise<User | undefined> {
  const row = await findUserRow(db, id)
  return row && toUser(row)
}

/** @throws Problem `not-found` */
export async function getUser(db: Db, id: number): Promise<User> {
  const user = await findUser(db, id)
  if (!user) throw userNotFound(id)
  return user
}

export const userNotFound = (id: number) => new Problem('not-found', `There is no user ${id}.`)

/** Locks a user, to change them in this transaction. @throws Problem `not-found` */
export async function lockUser(tx: Db, id: number): Promise<User> {
  await dialectOf(tx).userLockQueue?.alone(tx, id)
  const query = tx.selectFrom('users').selectAll().where('id', '=', id)
  const row = await lockRows(tx, query).executeTakeFirst()
  if (!row) throw userNotFound(id)
  evictUser(tx, id)
  return toUser(row)
}

/** In the order of their ids. @param after an id; 0 to begin */
export async function listUsers(db: Db, after: number, limit: number): Promise<User[]> {
  const rows = await db.selectFrom('users').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute()
  return rows.map(toUser)
}

/** Finds a user by what they type: a name or an e-mail address. */
export async function findUserByLogin(
  db: Db,
  login: string,
): Promise<{ user: User; password: string | null; identity: string | null } | undefined> {
  const row = await db
    .selectFrom('users')
    .selectAll()
    .where(login.includes('@') ? 'email' : 'name', '=', login.toLowerCase())
    .executeTakeFirst()
  return row && { user: toUser(row), password: row.password, identity: row.identity }
}

export async function findUserByIdentity(db: Db, identity: string): Promise<User | undefined> {
  const row = await db.selectFrom('users').selectAll().where('identity', '=', identity).executeTakeFirst()
  return row && toUser(row)
}

/** The hash of the user's password, or null. */
export async function findPassword(db: Db, id: number): Promise<string | null> {
  const row = await db.selectFrom('users').select('password').where('id', '=', id).executeTakeFirst()
  return row?.password ?? null
}

/** Whether an administrator can sign in: with a password, through a provider, or by a token with the scope `admin`. */
export async function canAdministratorSignIn(db: Db, now: number): Promise<boolean> {
  const one = enabledAdmins(db).select('users.id').limit(1)
  const person = one.where((eb) => eb.or([eb('password', 'is not', null), eb('identity', 'is not', null)]))
  if (await person.executeTakeFirst()) return true
  const program = one
    .innerJoin('tokens', 'tokens.user_id', 'users.id')
    .where('tokens.kind', '=', 'token')
    .where('tokens.scope', '=', 'admin')
    .where((eb) => eb.or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
  return (await program.executeTakeFirst()) !== undefined
}

/** Counts administrators who are neither disabled nor removed. */
export async function countAdmins(db: Db): Promise<number> {
  const { count } = await enabledAdmins(db)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

const enabledAdmins = (db: Db) =>
  db.selectFrom('users').where('role', '=', 'admin').where('disabled_at', 'is', null).where('removed_at', 'is', null)

/** The users who may create channels into the private network of the server. */
export async function adminIds(db: Db): Promise<Set<number>> {
  const rows = await db.selectFrom('users').select('id').where('role', '=', 'admin').execute()
  return new Set(rows.map(({ id }) => id))
}

/** The users whose data is being deleted. */
export async function removedUsers(db: Db): Promise<number[]> {
  const rows = await db.selectFrom('users').select('id').where('removed_at', 'is not', null).execute()
  return rows.map(({ id }) => id)
}

type DefaultColumns = Pick<UserRow, 'default_reminders' | 'default_day_reminders' | 'day_time' | 'time_zone'>

const toDefaults = (row: DefaultColumns): Defaults => ({
  reminders: JSON.parse(row.default_reminders) as Reminder[],
  dayReminders: JSON.parse(row.default_day_reminders) as Reminder[],
  dayTime: row.day_time,
  timeZone: row.time_zone,
})

export const toDefaultColumns = ({ reminders, dayReminders, dayTime, timeZone }: Defaults): DefaultColumns => ({
  default_reminders: JSON.stringify(reminders),
  default_day_reminders: JSON.stringify(dayReminders),
  day_time: dayTime,
  time_zone: timeZone,
})

export function toUser(row: UserRow): User {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    role: row.role,
    disabledAt: row.disabled_at,
    removedAt: row.removed_at,
    defaults: toDefaults(row),
    staleSince: row.alarms_stale === 1 ? (row.alarms_stale_at ?? 0) : null,
    createdAt: row.created_at,
    version: row.version,
  }
}
