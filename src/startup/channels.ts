import type { Logger } from 'pino'
import type { ChannelKind, SharedDeps } from '#channels/channel.ts'
import { anywhere, type EgressPolicyOf, publicOrListed } from '#channels/egress-policy.ts'
import { toChannelSettings } from '#channels/settings.ts'
import type { Config } from '#config/config.ts'
import { type ChannelRegistry, createChannelRegistry } from '#reminders/channel-registry.ts'
import { builtInChannel, type DeclaredChannel, recordChannels } from '#store/declared-channels.ts'
import { cancelForChannel } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import type { Db } from '#store/schema.ts'
import { adminIds, builtInUserId } from '#store/users.ts'

export type ReadEgressPolicy = (db: Db) => Promise<EgressPolicyOf>

/**
 * Channels of the configuration and of administrators may reach the private network. Those of other users may reach only the hosts of it
 * that the configuration lists.
 */
export function egressPolicyReader(memberHosts: readonly string[]): ReadEgressPolicy {
  const ofMembers = publicOrListed(memberHosts)
  return async (db) => {
    const admins = await adminIds(db)
    return ({ userId, source }) => (source !== 'api' || admins.has(userId) ? anywhere : ofMembers)
  }
}

/** Opens the built-in console, the channels of the configuration, and those that users created. */
export async function openChannels({
  config,
  store,
  kinds,
  channelDeps,
  readEgressPolicy,
  onOpenedChannel,
  log,
}: {
  config: Config
  store: Store
  kinds: readonly ChannelKind[]
  channelDeps: SharedDeps
  readEgressPolicy: ReadEgressPolicy
  onOpenedChannel: (id: number, kind: string) => void
  log: Logger
}): Promise<ChannelRegistry> {
  await recordDeclared(config, store, log)
  const declared = new Map(config.channels.map(({ name, options = {} }) => [name, options]))
  const channels = createChannelRegistry({
    kinds,
    declared,
    deps: channelDeps,
    readEgressPolicy,
    onOpened: onOpenedChannel,
    log: log.child({ component: 'deliveries' }),
  })
  await channels.open(store.db)
  return channels
}

/** Records the declared channels in the database, and cancels the deliveries of those that the configuration no longer has. */
async function recordDeclared(config: Config, store: Store, log: Logger): Promise<void> {
  const declared = [
    builtInChannel,
    ...config.channels.map(
      (one): DeclaredChannel => ({ ...toChannelSettings(one), name: one.name, kind: one.kind, source: 'config' }),
    ),
  ]
  await store.transact(async (tx, now) => {
    const { removed } = await recordChannels(tx, builtInUserId, declared, now)
    for (const { id, name } of removed) {
      const cancelled = await cancelForChannel(tx, id, 'the channel was removed from the configuration', now)
      if (cancelled > 0)
        log.warn(
          `channel «${name}» is no longer in the configuration; ${cancelled} notifications that waited for it were cancelled`,
        )
    }
  })
}
