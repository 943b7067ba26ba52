import { checkPassword, checkUserName, parseEmail, type Role, type User } from '#core/account.ts'
import type { Credential } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'
import { deleteUserRows } from '#store/user-data.ts'
import { deleteUserRow, insertUser, saveUser } from '#store/user-writes.ts'
import * as users from '#store/users.ts'
import { meetsPrecondition, type Precondition } from './conditions.ts'
import { type Context, type LongContext, refuseIfStopping, yieldToOthers } from './context.ts'
import { hashPassword } from './passwords.ts'
import { endAccess, type Issued, issue } from './tokens.ts'

/** Administration of the server's users. */
export interface UserDraft {
  readonly name: string
  readonly email?: string | null
  readonly role?: Role
  /** Without a password, the user receives an invitation and sets one. */
  readonly password?: string
}

/**
 * A token may create members, end access and remove rights. Actions that open another way in, which outlasts the token, require a session:
 * otherwise a leaked token of an administrator could be turned into an account.
 * @throws Problem `forbidden`
 */
function refuseToken(by: Credential, isSensitive: boolean, action: string): void {
  if (by?.kind === 'token' && isSensitive)
    throw new Problem('forbidden', `A token cannot ${action}. Sign in as an administrator and do it with that session.`)
}

/** How long an invitation is valid. */
export const invitationMs = 7 * 86_400_000

/**
 * @param options.server the default settings of the server
 * @returns the user and, without a password, an invitation
 * @throws Problem `invalid`, `forbidden`, `conflict` (the name or the address is taken)
 */
export async function createUser(
  ctx: Context,
  { name, email: given = null, role = 'member', password }: UserDraft,
  { server, by }: { server: Defaults; by: Credential },
): Promise<{ user: User; invitation: Issued | null }> {
  refuseToken(by, role === 'admin', 'create an administrator')
  checkUserName(name)
  const email = given === null ? null : parseEmail(given)
  if (password !== undefined) checkPassword(password, name)
  const hash = password === undefined ? null : await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    const id = await insertUser(tx, { name, email, role, password: hash, identity: null, defaults: server }, now)
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

export interface UserTarget extends Precondition {
  readonly id: number
}

/**
 * Updates a user. A disabled user cannot sign in, and all their sessions and tokens end for good; their tasks stay, and reminders fire.
 * Access ends once more when the user is enabled, for users disabled by a version that kept tokens.
 * @throws Problem `not-found`, `stale`, `invalid`, `forbidden`, `conflict` (taken, or no administrator would be left)
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
    // An OpenID provider signs in any user with this address.
    refuseToken(by, email !== undefined && email !== before.email, 'change the e-mail address of an account')
    const disabledAt = disabled === undefined ? before.disabledAt : disabled ? (before.disabledAt ?? now) : null
    await saveUser(tx, before.id, {
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
 * Resets an account: from now on the invitation is the only way to a password. Sessions, tokens, earlier invitations and the password end
 * at once, not when the invitation is accepted: until then a thief of the password could change it, which would also end the invitation.
 * Users of an OpenID provider can still sign in.
 * @throws Problem `not-found`, `conflict` (disabled)
 */
export async function inviteUser(ctx: Context, id: number): Promise<{ user: User; invitation: Issued }> {
  return ctx.transact(async (tx, now) => {
    const user = await userToChange(tx, { id })
    if (user.disabledAt !== null) throw new Problem('conflict', 'This user is disabled. Enable the user first.')
    await endAccess(tx, id)
    await saveUser(tx, id, { password: null })
    return { user, invitation: await inviteIn(tx, id, now) }
  })
}

function inviteIn(tx: Db, userId: number, now: number): Promise<Issued> {
  const draft = { name: 'invitation', scope: 'admin', expiresAt: now + invitationMs } as const
  return issue(tx, userId, 'invitation', draft, now)
}

/**
 * Deletes a user and all their data permanently. The user must be disabled first, so that one mistyped id deletes no user. Their data is
 * inaccessible at once; the rows are deleted in chunks, and maintenance resumes a deletion that was interrupted.
 * @throws Problem `not-found`, `stale`, `conflict` (not disabled, or the first)
 */
export async function deleteUser(ctx: LongContext, target: UserTarget): Promise<void> {
  await ctx.transact(async (tx, now) => {
    const user = await userToChange(tx, target)
    if (user.id === users.builtInUserId)
      throw new Problem(
        'conflict',
        'The first user owns the channels of the configuration, and is the user of a server without login. Disable this user instead.',
      )
    if (user.disabledAt === null)
      throw new Problem('conflict', 'Disable this user first, and export their data if you want to keep it.')
    await saveUser(tx, user.id, { removedAt: now })
    await endAccess(tx, user.id)
  })
  while (!(await deleteSome(ctx.transact, target.id))) {
    refuseIfStopping(ctx.signal)
    await yieldToOthers()
  }
}

/** Resumes interrupted deletions with one chunk for each deleted user. @returns how many users are left; 0 when none */
export async function resumeUserDeletion({ db, transact }: Pick<Context, 'db' | 'transact'>): Promise<number> {
  const ids = await users.removedUsers(db)
  for (const id of ids) await deleteSome(transact, id)
  return ids.length
}

const chunkSize = 500

/** Deletes a chunk of a deleted user's data and, last, the user. @returns whether nothing is left */
async function deleteSome(transact: Transact, userId: number): Promise<boolean> {
  return transact(async (tx) => {
    if ((await deleteUserRows(tx, userId, chunkSize)) > 0) return false
    await deleteUserRow(tx, userId)
    return true
  })
}

async function userToChange(tx: Db, { id, ...condition }: UserTarget): Promise<User> {
  const user = await users.lockUser(tx, id)
  if (user.removedAt !== null) throw new Problem('not-found', `There is no user ${id}.`)
  if (!meetsPrecondition(condition, user.version))
    throw new Problem('stale', `User ${id} is at version ${user.version}.`)
  return user
}

async function requireAdmin(tx: Db): Promise<void> {
  if ((await users.countAdmins(tx)) === 0)
    throw new Problem('conflict', 'The server would have no administrator. Make another user an administrator first.')
}
