import { type Selectable, sql } from 'kysely'
import type { Role, User } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { AlarmSettings } from '#core/stale-alarm.ts'
import type { Reminder } from '#core/task.ts'
import { bumpConfigVersion } from './config-version.ts'
import { builtInChannel, recordChannels } from './declared-channels.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, UserTable } from './schema.ts'

/** The first user. Everything on a server without login belongs to them, and they are its first administrator. */
export const builtInUserId = 1

/**
 * The counter from which user ids come, stored under a user id that no user has. The database's own ids are not used: PostgreSQL does
 * not know that the first id was assigned by us. No id is reused.
 */
const userNumbers = -1

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

/** The defaults for alarms. @throws Problem `unauthorized` when the user no longer exists */
export async function defaultsInTransaction(tx: Db, userId: number): Promise<Defaults> {
  return (await userInTransaction(tx, userId)).defaults
}

export async function findUser(db: Db, id: number): Promise<User | undefined> {
  const row = (await selectUser(db, { id })).rows[0]
  return row && toUser(row)
}

/** @throws Problem `not-found` */
export async function getUser(db: Db, id: number): Promise<User> {
  const user = await findUser(db, id)
  if (!user) throw userNotFound(id)
  return user
}

const userNotFound = (id: number) => new Problem('not-found', `There is no user ${id}.`)

/** Locks a user, to change them in this transaction. @throws Problem `not-found` */
export async function lockUser(tx: Db, id: number): Promise<User> {
  await dialectOf(tx).userLockQueue?.alone(tx, id)
  const query = tx.selectFrom('users').selectAll().where('id', '=', id)
  const row = await lockRows(tx, query).executeTakeFirst()
  if (!row) throw userNotFound(id)
  userCache.get(tx)?.delete(id)
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
  const reminders = JSON.stringify(defaults.reminders)
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
        default_reminders: reminders,
        time_zone: defaults.timeZone,
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
  userCache.get(tx)?.delete(id)
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

/** The users whose data is being deleted. */
export async function removedUsers(db: Db): Promise<number[]> {
  const rows = await db.selectFrom('users').select('id').where('removed_at', 'is not', null).execute()
  return rows.map(({ id }) => id)
}

/** Deletes the row itself, last, when nothing refers to it. */
export async function deleteUserRow(tx: Db, id: number): Promise<void> {
  await tx.deleteFrom('counters').where('user_id', '=', id).execute()
  await tx.deleteFrom('recomputes').where('user_id', '=', id).execute()
  await tx.deleteFrom('users').where('id', '=', id).execute()
  await bumpConfigVersion(tx)
}

// ── defaults for alarms ──

/** The user's own choices. The server's defaults apply where they are null. */
export interface OwnDefaults {
  readonly reminders: readonly Reminder[] | null
  readonly timeZone: string | null
}

const effectiveDefaults = (own: OwnDefaults, server: Defaults): Defaults => ({
  reminders: own.reminders ?? server.reminders,
  timeZone: own.timeZone ?? server.timeZone,
})

/**
 * The row must be locked. A change makes the alarms stale: `findStaleUsers` returns the user until `markFresh`.
 * @returns whether the alarms are stale, by this change or an earlier one
 */
export async function saveOwnDefaults(
  tx: Db,
  id: number,
  own: OwnDefaults,
  server: Defaults,
  now: number,
): Promise<boolean> {
  const defaults = effectiveDefaults(own, server)
  const row = (await selectUser(tx, { id })).rows[0]
  const isSame = row && JSON.stringify(toUser(row).defaults) === JSON.stringify(defaults)
  userCache.get(tx)?.delete(id)
  await tx
    .updateTable('users')
    .set({
      own_reminders: own.reminders && JSON.stringify(own.reminders),
      own_time_zone: own.timeZone,
      default_reminders: JSON.stringify(defaults.reminders),
      time_zone: defaults.timeZone,
      ...(isSame ? {} : staleFrom(now)),
    })
    .where('id', '=', id)
    .execute()
  await bumpConfigVersion(tx)
  return !isSame || row.alarms_stale === 1
}

/** A new instant for each change, even for two within a millisecond: it identifies the change whose progress is stored. */
const staleFrom = (now: number) => ({
  alarms_stale: 1,
  alarms_stale_at: sql<number>`case when alarms_stale_at >= ${now} then alarms_stale_at + 1 else ${now} end`,
})

/** Creates the first user, unless there is one. */
export async function ensureFirstUser(tx: Db, { reminders, timeZone }: Defaults, now: number): Promise<void> {
  if (await findUser(tx, builtInUserId)) return
  // Tasks may have been taken over from the original service. Their alarms have not been computed yet.
  const tasks = tx.selectFrom('tasks').select('id').where('user_id', '=', builtInUserId).limit(1)
  const isStale = (await tasks.executeTakeFirst()) !== undefined
  const first = [builtInUserId, JSON.stringify(reminders), timeZone, now, Number(isStale), isStale ? now : null]
  const columns = ['id', 'default_reminders', 'time_zone', 'created_at', 'alarms_stale', 'alarms_stale_at'] as const
  await dialectOf(tx).insertRows(tx, 'users', columns, [first], [])
}

/** Stores the server's defaults for users without their own, at startup, before reminders fire. The alarms become stale (`findStaleUsers`). */
export async function adoptServerDefaults(tx: Db, server: Defaults, now: number): Promise<void> {
  await ensureFirstUser(tx, server, now)
  const reminders = JSON.stringify(server.reminders)
  const others = [
    ['own_reminders', 'default_reminders', reminders],
    ['own_time_zone', 'time_zone', server.timeZone],
  ] as const
  for (const [own, column, value] of others) {
    const changed = tx.selectFrom('users').select('id').where(own, 'is', null).where(column, '!=', value)
    const { userLockQueue } = dialectOf(tx)
    if (userLockQueue) for (const { id } of await changed.orderBy('id').execute()) await userLockQueue.alone(tx, id)
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ [column]: value, ...staleFrom(now) })
      .where(own, 'is', null)
      .where(column, '!=', value)
      .executeTakeFirst()
    if (numUpdatedRows > 0n) await bumpConfigVersion(tx)
  }
}

/** The settings of users that the reminders need. */
export interface NotificationPreferences extends AlarmSettings {
  readonly quiet: QuietHours | null
}

export async function allPreferences(db: Db): Promise<Map<number, NotificationPreferences>> {
  const rows = await db.selectFrom('users').selectAll().execute()
  return new Map(rows.map((row): [number, NotificationPreferences] => [row.id, toPreferences(row)]))
}

/** The same for one user, with their own choices. @throws Problem `not-found` */
export async function getPreferences(db: Db, userId: number): Promise<NotificationPreferences & { own: OwnDefaults }> {
  const row = (await selectUser(db, { id: userId })).rows[0]
  if (!row) throw userNotFound(userId)
  return { ...toPreferences(row), own: toOwnDefaults(row) }
}

export async function saveQuietHours(tx: Db, userId: number, quiet: QuietHours | null): Promise<void> {
  const values = { quiet_from: quiet?.from ?? null, quiet_until: quiet?.until ?? null }
  await tx.updateTable('users').set(values).where('id', '=', userId).execute()
  await bumpConfigVersion(tx)
}

function toPreferences(row: Selectable<UserTable>): NotificationPreferences {
  const { quiet_from: from, quiet_until: until } = row
  const { defaults, staleSince } = toUser(row)
  return { defaults, staleSince, quiet: from === null || until === null ? null : { from, until } }
}

function toOwnDefaults({ own_reminders, own_time_zone }: Selectable<UserTable>): OwnDefaults {
  return { reminders: own_reminders ? JSON.parse(own_reminders) : null, timeZone: own_time_zone }
}

function toUser(row: Selectable<UserTable>): User {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    role: row.role,
    disabledAt: row.disabled_at,
    removedAt: row.removed_at,
    defaults: { reminders: JSON.parse(row.default_reminders) as Reminder[], timeZone: row.time_zone },
    staleSince: row.alarms_stale === 1 ? (row.alarms_stale_at ?? 0) : null,
    createdAt: row.created_at,
    version: row.version,
  }
}
