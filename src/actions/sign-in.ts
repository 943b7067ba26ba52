import { checkPassword, checkUserName, type User } from '#core/account.ts'
import type { Issuer } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Db } from '#store/schema.ts'
import { consumeInvitation, deleteTokens } from '#store/tokens.ts'
import { insertUser, saveUser } from '#store/user-writes.ts'
import * as users from '#store/users.ts'
import type { Context } from './context.ts'
import { hashPassword, isPassword } from './passwords.ts'
import { type EndedAccess, endAccess, hashSecret, type Issued, issue, requireCredential } from './tokens.ts'

/** Ways to sign in: a password, an OpenID provider, or an invitation with which the user sets a password. */

/** A new session of a user. */
export interface Session extends Issued {
  readonly user: User
}

/** A session ends when it is not used for this long. */
export const sessionMs = 30 * 86_400_000

/** @param device the browser's user agent @throws Problem `unauthorized`, which never says whether the name or the password is wrong */
export async function signIn(
  ctx: Context,
  { login, password, device }: { login: string; password: string; device: string },
): Promise<Session> {
  const found = await users.findUserByLogin(ctx.db, login)
  const isRight = await isPassword(password, found?.password ?? null)
  if (!found || !isRight) throw wrongLogin()
  return openSession(ctx, found.user.id, device, found.password)
}

const wrongLogin = () => new Problem('unauthorized', 'The name or the password is not right.')

/**
 * @param checked the hash that the password was checked against. The check takes 30 ms, in which a reset may have replaced it.
 * @throws Problem `forbidden` for a disabled user
 */
async function openSession(ctx: Context, userId: number, device: string, checked?: string | null): Promise<Session> {
  return ctx.transact(async (tx, now) => {
    const user = await users.userInTransaction(tx, userId)
    if (checked !== undefined && (await users.findPassword(tx, userId)) !== checked) throw wrongLogin()
    if (user.disabledAt !== null)
      throw new Problem('forbidden', 'This account is disabled. Ask an administrator of this server.')
    return { user, ...(await issueSession(tx, userId, device, now)) }
  })
}

function issueSession(tx: Db, userId: number, device: string, now: number): Promise<Issued> {
  const draft = { name: device.slice(0, 100) || 'session', scope: 'admin', expiresAt: now + sessionMs } as const
  return issue(tx, userId, 'session', draft, now)
}

/** The longest address of a user. */
const maxEmailLength = 254

/**
 * The claims of an OpenID provider about a user. Issuer and subject together identify a user for ever (OpenID Connect Core 1.0 section 2);
 * every other claim may change, or pass to another user.
 */
export interface Identity {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  /** Whether the provider has verified the address; false if it does not say. */
  readonly emailVerified: boolean
  readonly name: string | null
}

/**
 * Signs in a user of an OpenID provider. The user is found by issuer and subject; the first time by an address that the provider has
 * verified and an administrator has entered. Otherwise a new user is created, if the configuration allows new users.
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
    const { emailVerified, email: claimed } = identity
    const isUsable = emailVerified && claimed !== null && claimed.length <= maxEmailLength
    const email = isUsable ? claimed.toLowerCase() : null
    const invited = email === null ? undefined : await users.findUserByLogin(tx, email)
    // A user with an identity is found by that alone: an address may pass to another user one day.
    if (invited && invited.identity === null) {
      const user = await users.lockUser(tx, invited.user.id)
      await saveUser(tx, user.id, { identity: key })
      return user.id
    }
    if (!newUsers || invited)
      throw new Problem(
        'forbidden',
        `There is no account here for ${email ?? 'you'}. Ask an administrator of this server.`,
      )
    const name = await freeName(tx, identity.name ?? email ?? 'user')
    return insertUser(tx, { name, email, role: 'member', password: null, identity: key, defaults: server }, now)
  })
  return openSession(ctx, userId, device)
}

/** The wanted name, with a number where it is taken. */
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
  /** Null: keep the present name. */
  readonly name: string | null
  readonly password: string
  readonly device: string
}

/**
 * Sets a password with an invitation, which can be used once, and ends all sessions and tokens of the account. Only the first-run setup of
 * a server keeps its tokens: there was no sign-in before, so no account is recovered.
 * @throws Problem `unauthorized` (invalid, used, or expired), `invalid`, `conflict` (the name is taken)
 */
export async function acceptInvitation(
  ctx: Context,
  { invitation, name, password, device }: Acceptance,
): Promise<{ session: Session; token: Issued | null }> {
  if (name !== null) checkUserName(name)
  checkPassword(password, name ?? '')
  const hash = hashSecret(invitation)
  if (hash === undefined) throw invalidInvitation()
  const hashed = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    const userId = await consumeInvitation(tx, hash, now)
    if (userId === undefined) throw invalidInvitation()
    const before = await users.lockUser(tx, userId)
    if (before.disabledAt !== null || before.removedAt !== null) throw invalidInvitation()
    checkPassword(password, before.name ?? '')
    if (name === null && before.name === null)
      throw new Problem('invalid', 'name is missing', { faults: [{ at: { pointer: '/name' }, detail: 'is missing' }] })
    // The first user chooses a name; an administrator named all others.
    await saveUser(tx, userId, { ...(before.name === null && name !== null && { name }), password: hashed })
    const isFirst = before.name === null
    if (isFirst) await deleteTokens(tx, userId, ['session', 'invitation'])
    else await endAccess(tx, userId)
    const session = await issueSession(tx, userId, device, now)
    // First-run setup may be a script: it gets a token for its next requests.
    const token = isFirst
      ? await issue(tx, userId, 'token', { name: 'set-up', scope: 'admin', expiresAt: null }, now)
      : null
    return { session: { user: await users.getUser(tx, userId), ...session }, token }
  })
}

const invalidInvitation = () =>
  new Problem('unauthorized', 'This invitation is incomplete, was used already, or has expired. Ask for another.')

export interface PasswordChange {
  readonly current: string
  readonly password: string
  /** Whether programs lose their access as well. */
  readonly revokeTokens: boolean
}

/**
 * Changes a password. Ends all other sessions of the account, and its tokens on request.
 * @throws Problem `forbidden` when the present password is wrong, `invalid`, `unauthorized` when the session has just ended
 */
export async function changePassword(
  ctx: Context,
  issuer: Issuer,
  { current, password, revokeTokens }: PasswordChange,
): Promise<EndedAccess> {
  const { userId, by } = issuer
  const user = await users.getUser(ctx.db, userId)
  const stored = await users.findPassword(ctx.db, userId)
  if (stored !== null && !(await isPassword(current, stored))) throw wrongPassword()
  checkPassword(password, user.name ?? '')
  const hash = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    await users.lockUser(tx, userId)
    await requireCredential(tx, issuer, now)
    // A concurrent reset removes the password: without this check, the next one could be set without any.
    if ((await users.findPassword(tx, userId)) !== stored) throw wrongPassword()
    await saveUser(tx, userId, { password: hash })
    await deleteTokens(tx, userId, ['invitation'])
    return {
      sessions: await deleteTokens(tx, userId, ['session'], by?.id ?? undefined),
      tokens: revokeTokens ? await deleteTokens(tx, userId, ['token']) : 0,
    }
  })
}

const wrongPassword = () => new Problem('forbidden', 'The present password is not right.')

/**
 * Creates the invitation for first-run setup, on a server with login. Null if an administrator can sign in already.
 */
export async function firstInvitation(
  ctx: Pick<Context, 'db' | 'transact'>,
  lifetimeMs: number,
): Promise<Issued | null> {
  return ctx.transact(async (tx, now) => {
    if (await users.canAdministratorSignIn(tx, now)) return null
    const draft = { name: 'set-up', scope: 'admin', expiresAt: now + lifetimeMs } as const
    return issue(tx, users.builtInUserId, 'invitation', draft, now)
  })
}
