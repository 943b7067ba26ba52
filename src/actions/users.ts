import { setImmediate as turn } from 'node:timers/promises'
import { checkPassword, checkUserName, parseEmail, type Role, type User } from '#core/account.ts'
import type { Credential } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'
import { deleteUserRows } from '#store/user-data.ts'
import * as users from '#store/users.ts'
import { type Context, type LongContext, refuseIfStopping } from './context.ts'
import { hashPassword } from './passwords.ts'
import { type Condition, isMeant } from './tasks.ts'
import { endAccess, type Issued, issue } from './tokens.ts'

/** What administrators do about the users of a server. */
export interface UserDraft {
  readonly name: string
  readonly email?: string | null
  readonly role?: Role
  /** Without one he is invited, and sets his own. */
  readonly password?: string
}

/**
 * A token may make members, end access and take rights away. What opens another way in, one that outlasts the token, takes a person who
 * has signed in: otherwise a leaked token of an administrator becomes an account of its finder's.
 * @throws Problem `forbidden`
 */
function refuseToken(by: Credential, isSensitive: boolean, action: string): void {
  if (by?.kind === 'token' && isSensitive)
    throw new Problem('forbidden', `A token cannot ${action}. Sign in as an administrator and do it with that session.`)
}

/** How long an invitation is good for. */
export const invitationMs = 7 * 86_400_000

/**
 * @param options.server the default settings of the server
 * @returns him and, where he has no password yet, an invitation
 * @throws Problem `invalid`, `forbidden`, `conflict` (the name or the address is taken)
 */
export async function createUser(
  ctx: Context,
  { name, email: given = null, role = 'member', password }: UserDraft,
  { server, by }: { server: Defaults; by: Credential },
): Promise<{ user: User; invitation: Issued | null }> {
  refuseToken(by, role === 'admin', 'make an administrator')
  checkUserName(name)
  const email = given === null ? null : parseEmail(given)
  if (password !== undefined) checkPassword(password, name)
  const hash = password === undefined ? null : await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    const id = await users.insertUser(tx, { name, email, role, password: hash, identity: null, defaults: server }, now)
    const invitation = hash === null ? await inviteIn(tx, id, now) : null
    return { user: await users.getUser(tx, id), invitation }
  })
}

export interface UserPatch {
  readonly name?: string
  readonly email?: string | null
  readonly role?: Role
  readonly disabled?: boolean
}

export interface UserTarget extends Condition {
  readonly id: number
}

/**
 * A disabled user cannot come in, and all sessions and tokens end, for good; tasks are kept, and ring. They end again when the user is
 * enabled, for those who were disabled by a version that kept tokens.
 * @throws Problem `not-found`, `stale`, `invalid`, `forbidden`, `conflict` (taken, or it would leave nobody who administers)
 */
export async function updateUser(
  ctx: Context,
  target: UserTarget,
  { name, email: given, role, disabled }: UserPatch,
  by: Credential,
): Promise<User> {
  if (name !== undefined) checkUserName(name)
  const email = given === undefined || given === null ? given : parseEmail(given)
  return ctx.transact(async (tx, now) => {
    const before = await userToChange(tx, target)
    const isAdmin = (role ?? before.role) === 'admin'
    refuseToken(by, isAdmin && before.role !== 'admin', 'make an administrator')
    refuseToken(by, isAdmin && before.disabledAt !== null && disabled === false, 'enable an administrator')
    // The provider of identities lets in whoever has the address.
    refuseToken(by, email !== undefined && email !== before.email, 'change the e-mail address of an account')
    const disabledAt = disabled === undefined ? before.disabledAt : disabled ? (before.disabledAt ?? now) : null
    await users.saveUser(tx, before.id, {
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email }),
      ...(role !== undefined && { role }),
      disabledAt,
      version: before.version + 1,
    })
    await requireAdmin(tx)
    if (disabledAt !== null || before.disabledAt !== null) await endAccess(tx, before.id)
    return users.getUser(tx, before.id)
  })
}

/**
 * Resets an account: the invitation is the only way in by password from now on. Sessions, tokens, earlier invitations and the password
 * itself end at once, not when the invitation is accepted: until then a thief of the password could change it, which would also end the
 * invitation. A provider of identities still lets its own users in.
 * @throws Problem `not-found`, `conflict` (disabled)
 */
export async function inviteUser(ctx: Context, id: number): Promise<{ user: User; invitation: Issued }> {
  return ctx.transact(async (tx, now) => {
    const user = await userToChange(tx, { id })
    if (user.disabledAt !== null) throw new Problem('conflict', 'This user is disabled: enable him first.')
    await endAccess(tx, id)
    await users.saveUser(tx, id, { password: null })
    return { user, invitation: await inviteIn(tx, id, now) }
  })
}

function inviteIn(tx: Db, userId: number, now: number): Promise<Issued> {
  const draft = { name: 'invitation', scope: 'admin', expiresAt: now + invitationMs } as const
  return issue(tx, userId, 'invitation', draft, now)
}

/**
 * With all that is his, for good. He must be disabled before: nobody is deleted by one mistyped number. At once nothing of his can be
 * seen, written or told any more; his rows go by chunks, and who is killed on the way is followed by the next housekeeping.
 * @throws Problem `not-found`, `stale`, `conflict` (not disabled, or the first)
 */
export async function deleteUser(ctx: LongContext, target: UserTarget): Promise<void> {
  await ctx.transact(async (tx, now) => {
    const user = await userToChange(tx, target)
    if (user.id === users.builtInUserId)
      throw new Problem(
        'conflict',
        'The first user has what the configuration declares, and is who uses a server without login: disable him instead.',
      )
    if (user.disabledAt === null)
      throw new Problem('conflict', 'Disable this user first, and export what is his if it is to be kept.')
    await users.saveUser(tx, user.id, { removedAt: now })
    await endAccess(tx, user.id)
  })
  while (!(await deleteSome(ctx.transact, target.id))) {
    refuseIfStopping(ctx.signal)
    await turn() // the bell and every other request come in between
    await turn()
  }
}

/** Goes on with what was begun and ended before its end: a chunk of each user who was deleted. @returns of how many; 0 when nobody is left */
export async function goOnDeleting({ db, transact }: Pick<Context, 'db' | 'transact'>): Promise<number> {
  const ids = await users.removedUsers(db)
  for (const id of ids) await deleteSome(transact, id)
  return ids.length
}

const chunkSize = 500

/** A chunk of what is left of a user who was deleted, and at last himself. @returns whether that was all */
async function deleteSome(transact: Transact, userId: number): Promise<boolean> {
  return transact(async (tx) => {
    if ((await deleteUserRows(tx, userId, chunkSize)) > 0) return false
    await users.deleteUserRow(tx, userId)
    return true
  })
}

async function userToChange(tx: Db, { id, ...condition }: UserTarget): Promise<User> {
  const user = await users.lockUser(tx, id)
  if (user.removedAt !== null) throw new Problem('not-found', `There is no user ${id}.`)
  if (!isMeant(condition, user.version)) throw new Problem('stale', `User ${id} is at version ${user.version}.`)
  return user
}

async function requireAdmin(tx: Db): Promise<void> {
  if ((await users.countAdmins(tx)) === 0)
    throw new Problem('conflict', 'Then nobody would administer the server: make somebody else an administrator first.')
}
