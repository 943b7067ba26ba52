import { checkPassword, checkUserName, type User } from '#core/account.ts'
import type { Issuer } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Db } from '#store/schema.ts'
import { consumeInvitation, deleteTokens } from '#store/tokens.ts'
import * as users from '#store/users.ts'
import type { Context } from './context.ts'
import { hashPassword, isPassword } from './passwords.ts'
import { type EndedAccess, endAccess, hashSecret, type Issued, issue, requireCredential } from './tokens.ts'

/** How people come in: by a password, a provider of identities, or an invitation with which they set a password. */

/** Somebody who came in. */
export interface Session extends Issued {
  readonly user: User
}

/** A session that is not used for so long is over. */
export const sessionMs = 30 * 86_400_000

/** @param device what the browser calls itself @throws Problem `unauthorized`: never what was wrong */
export async function signIn(
  ctx: Context,
  { login, password, device }: { login: string; password: string; device: string },
): Promise<Session> {
  const found = await users.findUserByLogin(ctx.db, login)
  const isRight = await isPassword(password, found?.password ?? null)
  if (!found || !isRight) throw isWrong()
  return openSession(ctx, found.user.id, device, found.password)
}

const isWrong = () => new Problem('unauthorized', 'The name or the password is not right.')

/**
 * @param checked the hash that the password was checked against. To check takes 30 ms, in which a reset may have replaced it.
 * @throws Problem `forbidden` for one who is disabled
 */
async function openSession(ctx: Context, userId: number, device: string, checked?: string | null): Promise<Session> {
  return ctx.transact(async (tx, now) => {
    const user = await users.userInTransaction(tx, userId)
    if (checked !== undefined && (await users.findPassword(tx, userId)) !== checked) throw isWrong()
    if (user.disabledAt !== null)
      throw new Problem('forbidden', 'This account is disabled. Ask whoever administers the server.')
    return { user, ...(await issueSession(tx, userId, device, now)) }
  })
}

function issueSession(tx: Db, userId: number, device: string, now: number): Promise<Issued> {
  const draft = { name: device.slice(0, 100) || 'session', scope: 'admin', expiresAt: now + sessionMs } as const
  return issue(tx, userId, 'session', draft, now)
}

/** What a user may have. */
const maxEmailLength = 254

/**
 * What a provider says of a person. Issuer and subject together name him for ever (OpenID Connect Core 1.0 section 2); all else may change,
 * or pass to another.
 */
export interface Identity {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  /** Whether the provider vouches that the address is this person's; false where it does not say. */
  readonly emailVerified: boolean
  readonly name: string | null
}

/**
 * Known by the provider's own number for him; the first time by an address that the provider has verified and an administrator has
 * entered; else new, where the configuration lets strangers in.
 * @throws Problem `forbidden`
 */
export async function signInByIdentity(
  ctx: Context,
  identity: Identity,
  { device, newUsers, server }: { device: string; newUsers: boolean; server: Defaults },
): Promise<Session> {
  const key = `${identity.issuer} ${identity.subject}`
  const userId = await ctx.transact(async (tx, now) => {
    const known = await users.findUserByIdentity(tx, key)
    if (known) return known.id
    const { emailVerified, email: told } = identity
    const email = emailVerified && told !== null && told.length <= maxEmailLength ? told.toLowerCase() : null
    const invited = email === null ? undefined : await users.findUserByLogin(tx, email)
    // Whoever has an identity is known by that alone: an address may be given to somebody else one day.
    if (invited && invited.identity === null) {
      const user = await users.lockUser(tx, invited.user.id)
      await users.saveUser(tx, user.id, { identity: key })
      return user.id
    }
    if (!newUsers || invited)
      throw new Problem(
        'forbidden',
        `There is no account here for ${email ?? 'you'}. Ask whoever administers the server.`,
      )
    const name = await freeName(tx, identity.name ?? email ?? 'user')
    return users.insertUser(tx, { name, email, role: 'member', password: null, identity: key, defaults: server }, now)
  })
  return openSession(ctx, userId, device)
}

/** A name like the one that is wanted, that nobody has. */
async function freeName(tx: Db, wanted: string): Promise<string> {
  const plain = wanted
    .normalize('NFKD')
    .toLowerCase()
    .replace(/@.*/, '')
    .replace(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
  const base =
    plain
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40)
      .replace(/-+$/, '') || 'user'
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`
    if (!(await users.findUserByLogin(tx, name))) return name
  }
}

export interface Acceptance {
  readonly invitation: string
  /** Null: the name he has already. */
  readonly name: string | null
  readonly password: string
  readonly device: string
}

/**
 * Sets a password by an invitation, which is good for that once, and ends all sessions and tokens of the account. Only the first set-up of
 * a server keeps its tokens: nobody had signed in before, and nothing is recovered.
 * @throws Problem `unauthorized` (not one, used, or too old), `invalid`, `conflict` (the name is taken)
 */
export async function acceptInvitation(
  ctx: Context,
  { invitation, name, password, device }: Acceptance,
): Promise<{ session: Session; token: Issued | null }> {
  if (name !== null) checkUserName(name)
  checkPassword(password, name ?? '')
  const hash = hashSecret(invitation)
  if (hash === undefined) throw isOver()
  const hashed = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    const userId = await consumeInvitation(tx, hash, now)
    if (userId === undefined) throw isOver()
    const before = await users.lockUser(tx, userId)
    if (before.disabledAt !== null || before.removedAt !== null) throw isOver()
    checkPassword(password, before.name ?? '')
    if (name === null && before.name === null)
      throw new Problem('invalid', 'name is missing', { faults: [{ at: { pointer: '/name' }, detail: 'is missing' }] })
    // The first one chooses his name; others were given theirs.
    await users.saveUser(tx, userId, { ...(before.name === null && name !== null && { name }), password: hashed })
    const isFirst = before.name === null
    if (isFirst) await deleteTokens(tx, userId, ['session', 'invitation'])
    else await endAccess(tx, userId)
    const made = await issueSession(tx, userId, device, now)
    // Who sets a server up, by curl it may be, has something to ask with from then on.
    const token = isFirst
      ? await issue(tx, userId, 'token', { name: 'set-up', scope: 'admin', expiresAt: null }, now)
      : null
    return { session: { user: await users.getUser(tx, userId), ...made }, token }
  })
}

const isOver = () =>
  new Problem('unauthorized', 'This invitation is not complete, was used already, or is too old. Ask for another.')

export interface PasswordChange {
  readonly current: string
  readonly password: string
  /** Whether programs lose their access as well. */
  readonly revokeTokens: boolean
}

/**
 * Ends all other sessions of the account, and its tokens on request.
 * @throws Problem `forbidden` when the present one is not right, `invalid`, `unauthorized` when the session has just ended
 */
export async function changePassword(
  ctx: Context,
  issuer: Issuer,
  { current, password, revokeTokens }: PasswordChange,
): Promise<EndedAccess> {
  const { userId, by } = issuer
  const user = await users.getUser(ctx.db, userId)
  const stored = await users.findPassword(ctx.db, userId)
  if (stored !== null && !(await isPassword(current, stored))) throw isNotCurrent()
  checkPassword(password, user.name ?? '')
  const hash = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    await users.lockUser(tx, userId)
    await requireCredential(tx, issuer, now)
    // A reset meanwhile has taken the password away: without this check, none would be needed to set the next.
    if ((await users.findPassword(tx, userId)) !== stored) throw isNotCurrent()
    await users.saveUser(tx, userId, { password: hash })
    await deleteTokens(tx, userId, ['invitation'])
    return {
      sessions: await deleteTokens(tx, userId, ['session'], by?.id ?? undefined),
      tokens: revokeTokens ? await deleteTokens(tx, userId, ['token']) : 0,
    }
  })
}

const isNotCurrent = () => new Problem('forbidden', 'The present password is not right.')

/**
 * For a server with login to which nobody can come in yet who administers it: an invitation for the first user. Null where somebody can.
 */
export async function firstInvitation(ctx: Pick<Context, 'db' | 'transact'>, lastsMs: number): Promise<Issued | null> {
  return ctx.transact(async (tx, now) => {
    if (await users.canAdministratorSignIn(tx, now)) return null
    const draft = { name: 'set-up', scope: 'admin', expiresAt: now + lastsMs } as const
    return issue(tx, users.builtInUserId, 'invitation', draft, now)
  })
}
