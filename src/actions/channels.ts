import { randomUUIDv7 } from 'node:crypto'
import type { ChannelKind, SharedDeps } from '#channels/channel.ts'
import type { EgressPolicyOf } from '#channels/egress-policy.ts'
import { checkOptions, type Options, patchOptions } from '#channels/options.ts'
import { type ChannelSettingsWire, toChannelSettings } from '#channels/settings.ts'
import type { Actor } from '#core/caller.ts'
import { type ChannelRecord, type ChannelSettings, checkChannelConfig } from '#core/channel.ts'
import { attemptMs, type Outcome, thrownOutcome, timedOut } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import { invalidMember, nearest, Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { newTask } from '#core/task-changes.ts'
import { saveHealth } from '#store/channel-health.ts'
import * as store from '#store/channels.ts'
import { cancelForChannel, countPending } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import { getUser, userInTransaction } from '#store/users.ts'
import { meetsPrecondition, type Precondition } from './conditions.ts'
import type { Context } from './context.ts'
import { perform } from './perform.ts'

/** Changes of a user's channels. Each increments the config version, by which every replica notices it. */
export interface ChannelContext extends Context {
  readonly kinds: readonly ChannelKind[]
  readonly channelDeps: SharedDeps
  /** The addresses that each channel may reach, by the same rule as at delivery. */
  readonly readEgressPolicy: (db: Db) => Promise<EgressPolicyOf>
}

export interface ChannelDraft extends ChannelSettingsWire {
  readonly name: string
  readonly kind: string
  readonly options?: Options
  readonly enabled?: boolean
}

/** @throws Problem `invalid`, `conflict` (the name is taken) */
export async function createChannel(
  ctx: ChannelContext,
  { userId }: Actor,
  draft: ChannelDraft,
): Promise<ChannelRecord> {
  const kind = kindOf(ctx.kinds, draft.kind)
  if (kind.isConfigOnly)
    throw invalidMember(
      '/kind',
      'can only be declared in the configuration file: it acts with the rights of the server',
    )
  if (kind.kind === 'console') throw invalidMember('/kind', 'is built in, and there is one')
  const made = kind.ownSecret && { [kind.ownSecret.member]: kind.ownSecret.make() }
  const config = {
    ...toChannelSettings(draft),
    name: draft.name,
    options: { ...made, ...draft.options },
    isEnabled: draft.enabled ?? true,
  }
  checkConfig(kind, config)
  await tryToOpen(ctx, ctx.db, userId, kind, config.options)
  return perform(ctx, async (tx, now, wakeAt) => {
    const fresh = { userId, kind: kind.kind, source: 'api', disabledReason: null, version: 1 } as const
    await userInTransaction(tx, userId) // fails for a user who is being deleted
    const id = await store.insertChannel(tx, { ...config, ...fresh, createdAt: now, updatedAt: now })
    wakeAt(now) // the delivery loop opens it
    return store.getChannel(tx, userId, id)
  })
}

export interface ChannelPatch extends ChannelSettingsWire {
  readonly name?: string
  readonly options?: Options
  readonly enabled?: boolean
}

export interface ChannelTarget extends Precondition {
  readonly id: number
}

/**
 * Switching a channel on resets its health; switching it off cancels its pending deliveries.
 * @throws Problem `not-found`, `stale`, `invalid`, `conflict` (a name that is taken, or anything but `enabled` of a declared one)
 */
export async function updateChannel(
  ctx: ChannelContext,
  { userId }: Actor,
  target: ChannelTarget,
  patch: ChannelPatch,
): Promise<ChannelRecord> {
  return change(ctx, userId, target, async (tx, before, now) => {
    const { name = before.name, options: patched, enabled: isEnabled = before.isEnabled, ...settings } = patch
    const isDeclared = before.source !== 'api'
    if (isDeclared && (name !== before.name || patched !== undefined || Object.keys(settings).length > 0))
      throw new Problem(
        'conflict',
        before.source === 'config'
          ? 'This channel is declared in the configuration file: change it there. Here it can be switched off and on.'
          : 'The console is built in: it can only be switched off and on.',
      )
    // Only channels created by the API have options in the database.
    const kind = isDeclared ? undefined : kindOf(ctx.kinds, before.kind)
    const options = kind && patched ? patchOptions(kind, before.options, patched) : before.options
    const config = { ...toChannelSettings(settings, before), name, options, isEnabled }
    if (kind) {
      checkConfig(kind, config)
      // Not for a rename or to switch it off: a former administrator may do both to a channel that would not open any more.
      const mustOpen = patched !== undefined || (isEnabled && !before.isEnabled)
      if (mustOpen) await tryToOpen(ctx, tx, userId, kind, options)
    }
    if (name !== before.name) await store.renameChannel(tx, before, name)
    if (isEnabled && !before.isEnabled)
      await saveHealth(tx, before.id, { failingAt: null, givenUpAt: null, lastError: null })
    if (!isEnabled && before.isEnabled) await cancelForChannel(tx, before.id, 'the channel was switched off', now)
    return { ...before, ...config, disabledReason: isEnabled ? null : before.disabledReason }
  })
}

/**
 * Replaces the signing secret; the old one stays valid for a day.
 * @throws Problem `not-found`, `stale`, `conflict` (its kind has none, or it is declared)
 */
export async function rotateSecret(
  ctx: ChannelContext,
  { userId }: Actor,
  target: ChannelTarget,
): Promise<ChannelRecord> {
  return change(ctx, userId, target, async (_, before, now) => {
    const { ownSecret } = kindOf(ctx.kinds, before.kind)
    if (!ownSecret) throw new Problem('conflict', 'Channels of this kind have no secret that the server generates.')
    if (before.source !== 'api')
      throw new Problem('conflict', 'This channel is declared in the configuration file: change its secret there.')
    return { ...before, options: ownSecret.rotate(before.options, now) }
  })
}

async function change(
  ctx: ChannelContext,
  userId: number,
  target: ChannelTarget,
  make: (tx: Db, before: ChannelRecord, now: number) => Promise<ChannelRecord>,
): Promise<ChannelRecord> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const before = await store.getChannel(tx, userId, target.id, true)
    requireVersion(target, before)
    const after = await make(tx, before, now)
    await store.saveChannel(tx, { ...after, updatedAt: now, version: before.version + 1 })
    wakeAt(now)
    return store.getChannel(tx, userId, target.id)
  })
}

/**
 * Deletes a channel and cancels its pending deliveries, or counts these. Its notifications stay in the history.
 * @throws Problem `not-found`, `stale`, `conflict`
 */
export async function deleteChannel(
  ctx: Context,
  { userId }: Actor,
  target: ChannelTarget,
  { isDryRun = false } = {},
): Promise<{ cancelled: number }> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const channel = await store.getChannel(tx, userId, target.id, true)
    requireVersion(target, channel)
    if (channel.source !== 'api')
      throw new Problem('conflict', 'This channel was not created by the API: it can be switched off, but not deleted.')
    if (isDryRun) return { cancelled: await countPending(tx, channel.id) }
    await store.removeChannel(tx, channel, now)
    wakeAt(now)
    return { cancelled: await cancelForChannel(tx, channel.id, 'the channel was deleted', now) }
  })
}

function requireVersion(condition: Precondition, channel: ChannelRecord) {
  if (!meetsPrecondition(condition, channel.version))
    throw new Problem('stale', `Channel ${channel.id} is at version ${channel.version}.`)
}

export interface ChannelTestResult {
  readonly outcome: Outcome
  readonly latencyMs: number
}

/**
 * Sends a notification about an example task as any other notification is sent, and returns the outcome. Nothing is stored.
 * @throws Problem `invalid`
 */
export async function testChannel(
  ctx: ChannelContext,
  { userId }: Actor,
  kindName: string,
  options: Options,
): Promise<ChannelTestResult> {
  const kind = kindOf(ctx.kinds, kindName)
  if (kind.isConfigOnly) throw invalidMember('/kind', 'can only be declared in the configuration file')
  checkOptions(kind, options)
  const { clock } = ctx.channelDeps
  const { defaults } = await getUser(ctx.db, userId)
  const channel = await open(ctx, ctx.db, userId, kind, options)
  const startedAt = clock.now()
  const [timeout, finished] = [new AbortController(), new AbortController()]
  try {
    const outcome = await Promise.race([
      channel.send(exampleMessage(userId, defaults, startedAt), timeout.signal).catch(thrownOutcome),
      clock.sleep(attemptMs, finished.signal).then(() => timedOut(attemptMs)),
    ])
    return { outcome, latencyMs: clock.now() - startedAt }
  } finally {
    timeout.abort()
    finished.abort()
    await channel[Symbol.asyncDispose]()
  }
}

/** The stored options of a channel, with the changes that the user is about to save. @throws Problem `not-found`, `conflict`, `invalid` */
export async function savedOptions(
  { db, kinds }: Pick<ChannelContext, 'db' | 'kinds'>,
  { userId }: Actor,
  id: number,
  patch: Options = {},
) {
  const { kind, source, options } = await store.getChannel(db, userId, id)
  if (source === 'config')
    throw new Problem('conflict', 'The options of this channel are in the configuration file, and cannot be read here.')
  return { kind, options: patchOptions(kindOf(kinds, kind), options, patch) }
}

function exampleMessage(userId: number, defaults: Defaults, now: number): Message {
  const expiryAt = now + 15 * 60_000
  const draft = {
    title: 'A test from Duebell',
    description: 'If you read this, the channel works.',
    expiry: { at: expiryAt },
  }
  const task = { ...newTask(draft, userId, randomUUIDv7(), defaults, now), id: 0 }
  const notification = {
    id: 0,
    userId,
    taskId: 0,
    kind: 'expiring',
    reminder: 'PT15M',
    expiryAt,
    dueAt: now,
    firedAt: now,
  } as const
  return {
    deliveryId: randomUUIDv7(),
    attempt: 1,
    notification: { ...notification, timing: 'on_time', latenessMs: 0 },
    task,
    kind: 'expiring',
    sentAt: now,
    timeZone: defaults.timeZone,
    links: null,
    others: [],
  }
}

function kindOf(kinds: readonly ChannelKind[], name: string): ChannelKind {
  const kind = kinds.find((one) => one.kind === name)
  if (kind) return kind
  const names = kinds.map((one) => one.kind)
  const near = nearest(name, names)
  throw invalidMember('/kind', `is not known; ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}`}`)
}

function checkConfig(
  kind: ChannelKind,
  config: ChannelSettings & { name: string; options: Options; isEnabled: boolean },
): void {
  checkChannelConfig(config)
  checkOptions(kind, config.options)
}

/** Opens and closes a channel once, to check what no schema can express. */
async function tryToOpen(...args: Parameters<typeof open>): Promise<void> {
  await using _ = await open(...args)
}

/** @param db the transaction, if there is one */
async function open(
  { channelDeps, readEgressPolicy }: ChannelContext,
  db: Db,
  userId: number,
  kind: ChannelKind,
  options: Options,
) {
  const egressPolicyOf = await readEgressPolicy(db)
  try {
    return await kind.open(options, { ...channelDeps, egress: egressPolicyOf({ userId, source: 'api' }) })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    // A kind reports faults relative to its options; the request body holds those in `options`.
    const faults = error.extras.faults?.map(({ at, detail }) => {
      return { at: 'pointer' in at ? { pointer: `/options${at.pointer}` } : at, detail }
    })
    throw new Problem(error.kind, `options.${error.message}`, { ...error.extras, ...(faults && { faults }) })
  }
}
