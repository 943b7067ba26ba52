import { checkOwnerName, checkPassword, type Owner } from '#core/account.ts'
import type { Issuer } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Db } from '#store/schema.ts'
import { deleteTokens, takeInvitation } from '#store/tokens.ts'
import * as owners from '#store/users.ts'
import type { Context } from './context.ts'
import { hashPassword, isPassword } from './passwords.ts'
import { type EndedAccess, endAccess, hashSecret, type Issued, issue, requireCredential } from './tokens.ts'

/** How people come in: by a password, a provider of identities, or an invitation with which they set a password. */

/** Somebody who came in. */
export interface Session extends Issued {
  readonly owner: Owner
}

/** A session that is not used for so long is over. */
export const sessionMs = 30 * 86_400_000

/** @param device what the browser calls itself @throws Problem `unauthorized`: never what was wrong */
export async function signIn(
  ctx: Context,
  { login, password, device }: { login: string; password: string; device: string },
): Promise<Session> {
  const found = await owners.findOwnerByLogin(ctx.db, login)
  const isRight = await isPassword(password, found?.password ?? null)
  if (!found || !isRight) throw isWrong()
  return openSession(ctx, found.owner.id, device, found.password)
}

const isWrong = () => new Problem('unauthorized', 'The name or the password is not right.')

/**
 * @param checked the hash that the password was checked against. To check takes 30 ms, in which a reset may have replaced it.
 * @throws Problem `forbidden` for one who is disabled
 */
async function openSession(ctx: Context, ownerId: number, device: string, checked?: string | null): Promise<Session> {
  return ctx.transact(async (tx, now) => {
    const owner = await owners.ownerInTransaction(tx, ownerId)
    if (checked !== undefined && (await owners.findPassword(tx, ownerId)) !== checked) throw isWrong()
    if (owner.disabledAt !== null)
      throw new Problem('forbidden', 'This account is disabled. Ask whoever administers the server.')
    return { owner, ...(await issueSession(tx, ownerId, device, now)) }
  })
}

function issueSession(tx: Db, ownerId: number, device: string, now: number): Promise<Issued> {
  const draft = { name: device.slice(0, 100) || 'session', scope: 'admin', expiresAt: now + sessionMs } as const
  return issue(tx, ownerId, 'session', draft, now)
}

/** What an owner may have. */
const longestEmail = 254

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
  { device, newOwners, server }: { device: string; newOwners: boolean; server: Defaults },
): Promise<Session> {
  const key = `${identity.issuer} ${identity.subject}`
  const ownerId = await ctx.transact(async (tx, now) => {
    const known = await owners.findOwnerByIdentity(tx, key)
    if (known) return known.id
    const { emailVerified, email: told } = identity
    const email = emailVerified && told !== null && told.length <= longestEmail ? told.toLowerCase() : null
    const invited = email === null ? undefined : await owners.findOwnerByLogin(tx, email)
    // Whoever has an identity is known by that alone: an address may be given to somebody else one day.
    if (invited && invited.identity === null) {
      const owner = await owners.lockOwner(tx, invited.owner.id)
      await owners.saveOwner(tx, owner.id, { identity: key })
      return owner.id
    }
    if (!newOwners || invited)
      throw new Problem(
        'forbidden',
        `There is no account here for ${email ?? 'you'}. Ask whoever administers the server.`,
      )
    const name = await freeName(tx, identity.name ?? email ?? 'owner')
    return owners.insertOwner(tx, { name, email, role: 'member', password: null, identity: key, defaults: server }, now)
  })
  return openSession(ctx, ownerId, device)
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
      .replace(/-+$/, '') || 'owner'
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`
    if (!(await owners.findOwnerByLogin(tx, name))) return name
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
  if (name !== null) checkOwnerName(name)
  checkPassword(password, name ?? '')
  const hash = hashSecret(invitation)
  if (hash === undefined) throw isOver()
  const hashed = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    const ownerId = await takeInvitation(tx, hash, now)
    if (ownerId === undefined) throw isOver()
    const before = await owners.lockOwner(tx, ownerId)
    if (before.disabledAt !== null || before.removedAt !== null) throw isOver()
    checkPassword(password, before.name ?? '')
    if (name === null && before.name === null)
      throw new Problem('invalid', 'name is missing', { faults: [{ at: { pointer: '/name' }, detail: 'is missing' }] })
    // The first one chooses his name; others were given theirs.
    await owners.saveOwner(tx, ownerId, { ...(before.name === null && name !== null && { name }), password: hashed })
    const isFirst = before.name === null
    if (isFirst) await deleteTokens(tx, ownerId, ['session', 'invitation'])
    else await endAccess(tx, ownerId)
    const made = await issueSession(tx, ownerId, device, now)
    // Who sets a server up, by curl it may be, has something to ask with from then on.
    const token = isFirst
      ? await issue(tx, ownerId, 'token', { name: 'set-up', scope: 'admin', expiresAt: null }, now)
      : null
    return { session: { owner: await owners.getOwner(tx, ownerId), ...made }, token }
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
  const { ownerId, by } = issuer
  const owner = await owners.getOwner(ctx.db, ownerId)
  const stored = await owners.findPassword(ctx.db, ownerId)
  if (stored !== null && !(await isPassword(current, stored))) throw isNotCurrent()
  checkPassword(password, owner.name ?? '')
  const hash = await hashPassword(password)
  return ctx.transact(async (tx, now) => {
    await owners.lockOwner(tx, ownerId)
    await requireCredential(tx, issuer, now)
    // A reset meanwhile has taken the password away: without this check, none would be needed to set the next.
    if ((await owners.findPassword(tx, ownerId)) !== stored) throw isNotCurrent()
    await owners.saveOwner(tx, ownerId, { password: hash })
    await deleteTokens(tx, ownerId, ['invitation'])
    return {
      sessions: await deleteTokens(tx, ownerId, ['session'], by?.id ?? undefined),
      tokens: revokeTokens ? await deleteTokens(tx, ownerId, ['token']) : 0,
    }
  })
}

const isNotCurrent = () => new Problem('forbidden', 'The present password is not right.')

/**
 * For a server with login to which nobody can come in yet who administers it: an invitation for the first owner. Null where somebody can.
 */
export async function firstInvitation(ctx: Pick<Context, 'db' | 'transact'>, lastsMs: number): Promise<Issued | null> {
  return ctx.transact(async (tx, now) => {
    if (await owners.canAnybodyAdministrate(tx, now)) return null
    const draft = { name: 'set-up', scope: 'admin', expiresAt: now + lastsMs } as const
    return issue(tx, owners.builtInOwnerId, 'invitation', draft, now)
  })
}
