import { randomUUIDv7 } from 'node:crypto'
import type { ChannelKind, SharedDeps } from '#channels/channel.ts'
import type { EgressPolicyOf } from '#channels/egress-policy.ts'
import { checkOptions, type Options, patchOptions } from '#channels/options.ts'
import { type ChannelSettings, type ChannelSettingsWire, toChannelSettings } from '#channels/settings.ts'
import type { Actor } from '#core/caller.ts'
import { type ChannelRecord, checkChannelConfig } from '#core/channel.ts'
import { attemptMs, type Outcome, thrownOutcome, timedOut } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import { invalidMember, nearest, Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { newTask } from '#core/task-changes.ts'
import { saveHealth } from '#store/channel-health.ts'
import * as store from '#store/channels.ts'
import { cancelForChannel } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import { getUser, userInTransaction } from '#store/users.ts'
import type { Context } from './context.ts'
import { type Condition, isMeant, perform } from './tasks.ts'

/** What people do about their channels. Each change has another setup number, by which every replica learns of it. */
export interface ChannelContext extends Context {
  readonly kinds: readonly ChannelKind[]
  readonly channelDeps: SharedDeps
  /** How far each channel may go: as the scheduler asks it. */
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
  const choices = {
    ...toChannelSettings(draft),
    name: draft.name,
    options: { ...made, ...draft.options },
    isEnabled: draft.enabled ?? true,
  }
  check(kind, choices)
  await tryToOpen(ctx, ctx.db, userId, kind, choices.options)
  return perform(ctx, async (tx, now, wakeAt) => {
    const fresh = { userId, kind: kind.kind, source: 'api', disabledReason: null, version: 1 } as const
    await userInTransaction(tx, userId) // not for one who is being deleted
    const id = await store.insertChannel(tx, { ...choices, ...fresh, createdAt: now, updatedAt: now })
    wakeAt(now) // so that it is opened
    return store.getChannel(tx, userId, id)
  })
}

export interface ChannelPatch extends ChannelSettingsWire {
  readonly name?: string
  readonly options?: Options
  readonly enabled?: boolean
}

export interface ChannelTarget extends Condition {
  readonly id: number
}

/**
 * Switching one on lets it begin anew; switching it off drops what waits for it.
 * @throws Problem `not-found`, `stale`, `invalid`, `conflict` (a name that is taken, or anything but `enabled` of a declared one)
 */
export async function updateChannel(
  ctx: ChannelContext,
  { userId }: Actor,
  target: ChannelTarget,
  patch: ChannelPatch,
): Promise<ChannelRecord> {
  return change(ctx, userId, target, async (tx, before, now) => {
    const { name = before.name, options: patched, enabled: isEnabled = before.isEnabled, ...policy } = patch
    const isDeclared = before.source !== 'api'
    if (isDeclared && (name !== before.name || patched !== undefined || Object.keys(policy).length > 0))
      throw new Problem(
        'conflict',
        before.source === 'config'
          ? 'This channel is declared in the configuration file: change it there. Here it can be switched off and on.'
          : 'The console is built in: it can be switched off and on.',
      )
    // Only a channel of the API has options here to patch.
    const kind = isDeclared ? undefined : kindOf(ctx.kinds, before.kind)
    const options = kind && patched ? patchOptions(kind, before.options, patched) : before.options
    const choices = { ...toChannelSettings(policy, before), name, options, isEnabled }
    if (kind) {
      check(kind, choices)
      // Not for another name, nor to switch it off: who is no administrator any more must be able to, though it would not open.
      const isOpenedAnew = patched !== undefined || (isEnabled && !before.isEnabled)
      if (isOpenedAnew) await tryToOpen(ctx, tx, userId, kind, options)
    }
    if (name !== before.name) await store.renameChannel(tx, before, name)
    if (isEnabled && !before.isEnabled)
      await saveHealth(tx, before.id, { failingAt: null, givenUpAt: null, lastError: null })
    if (!isEnabled && before.isEnabled) await cancelForChannel(tx, before.id, 'the channel was switched off', now)
    return { ...before, ...choices, disabledReason: isEnabled ? null : before.disabledReason }
  })
}

/** The old secret is good for a day yet. @throws Problem `not-found`, `stale`, `conflict` (not of its kind, or declared) */
export async function rotateSecret(
  ctx: ChannelContext,
  { userId }: Actor,
  target: ChannelTarget,
): Promise<ChannelRecord> {
  return change(ctx, userId, target, async (_, before, now) => {
    const { ownSecret } = kindOf(ctx.kinds, before.kind)
    if (!ownSecret) throw new Problem('conflict', 'A channel of this kind has no secret that the server makes.')
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

/** What waits for it is dropped; what was told over it stays in the history. @throws Problem `not-found`, `stale`, `conflict` */
export async function deleteChannel(
  ctx: Context,
  { userId }: Actor,
  target: ChannelTarget,
): Promise<{ dropped: number }> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const channel = await store.getChannel(tx, userId, target.id, true)
    requireVersion(target, channel)
    if (channel.source !== 'api')
      throw new Problem('conflict', 'This channel was not made here: it can be switched off, but not deleted.')
    await store.removeChannel(tx, channel, now)
    wakeAt(now)
    return { dropped: await cancelForChannel(tx, channel.id, 'the channel was deleted', now) }
  })
}

function requireVersion(condition: Condition, channel: ChannelRecord) {
  if (!isMeant(condition, channel.version))
    throw new Problem('stale', `Channel ${channel.id} is at version ${channel.version}.`)
}

export interface Tested {
  readonly outcome: Outcome
  readonly latencyMs: number
}

/**
 * Sends a notification about a task that does not exist, by the way of all notifications, and tells what came of it. In no ledger.
 * @throws Problem `invalid`
 */
export async function testChannel(
  ctx: ChannelContext,
  { userId }: Actor,
  kindName: string,
  options: Options,
): Promise<Tested> {
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
      channel.send(sample(userId, defaults, startedAt), timeout.signal).catch(thrownOutcome),
      clock.sleep(attemptMs, finished.signal).then(() => timedOut(attemptMs)),
    ])
    return { outcome, latencyMs: clock.now() - startedAt }
  } finally {
    timeout.abort()
    finished.abort()
    await channel[Symbol.asyncDispose]()
  }
}

/** The options of a saved one, changed by what a person is about to save. @throws Problem `not-found`, `conflict`, `invalid` */
export async function savedOptions(
  { db, kinds }: Pick<ChannelContext, 'db' | 'kinds'>,
  { userId }: Actor,
  id: number,
  patch: Options = {},
) {
  const { kind, source, options } = await store.getChannel(db, userId, id)
  if (source === 'config')
    throw new Problem('conflict', 'The options of this channel are in the configuration file, and are not known here.')
  return { kind, options: patchOptions(kindOf(kinds, kind), options, patch) }
}

function sample(userId: number, defaults: Defaults, now: number): Message {
  const expiryAt = now + 15 * 60_000
  const draft = {
    title: 'A test from Duebell',
    description: 'If you read this, the channel works.',
    expiry: { at: expiryAt },
  }
  const task = { ...newTask(draft, userId, randomUUIDv7(), defaults, now), id: 0 }
  const of = {
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
    notification: { ...of, timing: 'on_time', latenessMs: 0 },
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

function check(
  kind: ChannelKind,
  choices: ChannelSettings & { name: string; options: Options; isEnabled: boolean },
): void {
  checkChannelConfig(choices)
  checkOptions(kind, choices.options)
}

/** Opened and closed once, for what no schema can say. */
async function tryToOpen(...given: Parameters<typeof open>): Promise<void> {
  await using _ = await open(...given)
}

/** @param db a transaction, within one */
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
    // What a kind says of its options, said of the body that holds them.
    const faults = error.extras.faults?.map(({ at, detail }) => {
      return { at: 'pointer' in at ? { pointer: `/options${at.pointer}` } : at, detail }
    })
    throw new Problem(error.kind, `options.${error.message}`, { ...error.extras, ...(faults && { faults }) })
  }
}
