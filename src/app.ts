import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Dialect } from 'kysely'
import type { Logger } from 'pino'
import { adoptDefaults } from '#actions/defaults.ts'
import { createLinks } from '#actions/links.ts'
import { catalog } from '#channels/catalog.ts'
import type { ChannelDeps, ChannelKind } from '#channels/channel.ts'
import { openOutbound, parseTarget, toOutcome } from '#channels/outbound.ts'
import { toPolicy, usualPolicy } from '#channels/policy.ts'
import { makeVapidKeys, type VapidKeys } from '#channels/vapid.ts'
import type { Clock } from '#clock.ts'
import type { Config } from '#config.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { ConnectionLimits } from '#http/connections.ts'
import { type Feed, startFeed } from '#http/feed.ts'
import { isLoopbackAddress } from '#http/guard.ts'
import { createServer } from '#http/server.ts'
import { toCloudEvent } from '#http/shapes.ts'
import { createLog, type Output } from '#log.ts'
import { createMetrics } from '#metrics/metrics.ts'
import { type ChannelSet, createChannelSet } from '#scheduler/channel-set.ts'
import { type DeliveryTimes, startDeliveries } from '#scheduler/deliver.ts'
import { startHeartbeat } from '#scheduler/heartbeat.ts'
import { emptyTrash, forgetKeptAnswers, shortenChanges, startHousekeeping } from '#scheduler/housekeeping.ts'
import { startRinging } from '#scheduler/ring.ts'
import { watchBell } from '#scheduler/watch.ts'
import { readBacklog } from '#store/backlog.ts'
import { type Declared, recordChannels } from '#store/channels.ts'
import { dropForChannel, freeAllClaims } from '#store/deliveries.ts'
import { describeUrl } from '#store/dialects/server.ts'
import { openStore, type Store } from '#store/open.ts'
import { builtInOwnerId } from '#store/owners.ts'
import { sharedSecret } from '#store/secrets.ts'

/** What the app takes from the world outside. */
export interface AppDeps {
  readonly clock: Clock
  readonly output: Output
  /** Called when only a restart can mend what happened. */
  readonly onBroken: (error: unknown) => void
  readonly catalog?: readonly ChannelKind[]
  readonly wrapDatabase?: (dialect: Dialect) => Dialect
  /** How long a claim and an attempt last; the usual when absent. */
  readonly deliveryTimes?: DeliveryTimes
  /** How long connections may take over what; the usual when absent. */
  readonly connections?: Partial<ConnectionLimits>
}

export interface App extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:8888`. */
  readonly url: string
  readonly log: Logger
  readonly store: Store
  /** Resolves when nothing that is due now is left to ring, send, write or throw away. */
  idle(): Promise<void>
  /** Stops listening, ends what is underway, closes everything. Twice is once. */
  stop(): Promise<void>
}

/** What is underway at a stop has this long; what is not done by then is tried again after the next start. */
const graceMs = 6_000

/**
 * The whole wiring, in order; stopped in reverse.
 * @throws Problem with a sentence for a person
 */
export async function startApp(config: Config, deps: AppDeps): Promise<App> {
  const isLoopback = isLoopbackAddress(config.host)
  if (!isLoopback && !config.allowAnyoneOnNetwork)
    throw new Problem(
      'forbidden',
      `${config.host} can be reached from other machines, and there is no login yet: whoever connects could read, change and delete everything. Listen on 127.0.0.1, or say --allow-anyone-on-network if that is what you mean.`,
    )

  await using stack = new AsyncDisposableStack()
  const { clock } = deps
  const { log, print } = createLog({ level: config.logLevel, format: config.logFormat }, deps.output)
  const defaults: Defaults = { reminders: config.defaultReminders, timeZone: config.timeZone }

  const version = readVersion()
  const metrics = createMetrics({ version, clock, backlog: (channelIds) => readBacklog(store.db, clock, channelIds) })

  let feed: Feed | undefined
  const store = stack.use(
    await openStore(config.databaseUrl, {
      clock,
      log: log.child({ room: 'store' }),
      timeZone: config.timeZone,
      onBroken: deps.onBroken,
      onListed: (ownerIds) => feed?.wake(ownerIds),
      onCommitted: metrics.committed,
      ...(deps.wrapDatabase && { wrap: deps.wrapDatabase }),
    }),
  )
  if (!store.dialect.isShared) await takeOver(store, log)
  await adoptDefaults(store, defaults, log)

  const toEvent = toCloudEvent
  const kinds = deps.catalog ?? catalog
  const channelDeps = { clock, print, toEvent }
  const channels = stack.use(await openChannels(config, store, kinds, channelDeps, metrics.openChannel, log))
  const links = createLinks(await linkKey(store), config.publicUrl)

  const deliveries = startDeliveries({
    store,
    clock,
    channels,
    linksFor: links.linksFor,
    wakeRing: (at) => ringing.wake(at),
    defaults,
    log: log.child({ room: 'deliver' }),
    times: deps.deliveryTimes,
    onEnded: metrics.ended,
  })
  stack.defer(() => deliveries.stop(graceMs))
  const ringing = startRinging({
    store,
    clock,
    defaults,
    channels,
    deliveries,
    log: log.child({ room: 'ring' }),
    onRung: metrics.rung,
  })
  stack.defer(() => ringing.stop())
  const housekeeping = startHousekeeping({
    clock,
    chores: [emptyTrash(store, config.trashDays), shortenChanges(store), forgetKeptAnswers(store)],
    log: log.child({ room: 'housekeeping' }),
  })
  stack.defer(() => housekeeping.stop())
  const look = watchBell({ db: store.db, clock, loops: [ringing, deliveries] })
  if (config.heartbeatUrl !== '') {
    const beat = stack.use(openHeartbeat(config.heartbeatUrl, clock))
    const heartbeat = startHeartbeat({ clock, look, beat: beat.send, log: log.child({ room: 'heartbeat' }) })
    stack.defer(() => heartbeat.stop())
  }
  const wake = (at: number) => {
    ringing.wake(at)
    deliveries.wake(at)
  }

  feed = startFeed({ db: store.db, clock, defaults, log: log.child({ room: 'http' }) })
  const server = createServer({
    db: store.db,
    ctx: { db: store.db, transact: store.transact, defaults, wake, kinds, channelDeps },
    links,
    webPushKey: (await vapidKeys(store)).publicKey,
    trashDays: config.trashDays,
    isLoopback: isLoopback && !config.allowAnyoneOnNetwork,
    // Programs of one machine are told apart by nothing.
    rateLimit: isLoopback && !config.allowAnyoneOnNetwork ? 0 : config.rateLimit,
    connections: deps.connections,
    allowedHosts: config.allowedHosts,
    log: log.child({ room: 'http' }),
    feed,
    clock,
    health: { version, look },
    metrics,
  })
  stack.defer(() => server.close())
  const url = await listen(server, config, version)

  const owned = stack.move()
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= owned.disposeAsync())
  return {
    url,
    log,
    store,
    async idle() {
      // Twice: what comes of a delivery may ring, of a channel that is switched off by it.
      for (let i = 0; i < 2; i++) {
        await ringing.idle()
        await deliveries.idle()
      }
      await housekeeping.idle()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function listen(server: FastifyInstance, config: Config, version: string): Promise<string> {
  const { host, port, timeZone, databaseUrl } = config
  try {
    return await server.listen({
      host,
      port,
      listenTextResolver: (url) =>
        `Duebell ${version} is listening on ${url}, time zone ${timeZone}, ${describeUrl(databaseUrl)}`,
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'EADDRINUSE'
        ? `Port ${port} on ${host} is taken by another program: choose another --port, or stop that one.`
        : code === 'EACCES'
          ? `Port ${port} needs more rights: choose a --port above 1023.`
          : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
            ? `${host} is not an address of this machine: see --host.`
            : `Cannot listen on ${host}:${port}: ${(error as Error).message}.`
    throw new Problem('unavailable', why, { cause: error })
  }
}

/** A GET to an address of the operator's, with the rules of every address that is spoken to. */
function openHeartbeat(url: string, clock: Clock) {
  const outbound = openOutbound(parseTarget(url, '/heartbeatUrl'))
  return {
    send: async (signal: AbortSignal) =>
      toOutcome(await outbound.request({ method: 'GET', headers: {}, body: '', signal }), clock.now()),
    [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
  }
}

/** We are alone with an embedded database: what a predecessor had in hand when it died is due again at once. */
async function takeOver(store: Store, log: Logger) {
  const freed = await store.transact((tx, now) => freeAllClaims(tx, now))
  if (freed > 0) log.warn(`${freed} deliveries were underway when the server last stopped: they are tried again`)
}

/** The console, which is always there, what the configuration declares, and what people have made. */
async function openChannels(
  config: Config,
  store: Store,
  kinds: readonly ChannelKind[],
  deps: ChannelDeps,
  onOpened: (id: number, kind: string) => void,
  log: Logger,
): Promise<ChannelSet> {
  // Nobody is woken by a line on the server's own output.
  const console: Declared = {
    ...usualPolicy,
    name: 'console',
    kind: 'console',
    source: 'built-in',
    ignoresQuietHours: true,
  }
  const declared = [
    console,
    ...config.channels.map((one): Declared => ({ ...toPolicy(one), name: one.name, kind: one.kind, source: 'config' })),
  ]
  await store.transact(async (tx, now) => {
    const { removed } = await recordChannels(tx, builtInOwnerId, declared, now)
    for (const { id, name } of removed) {
      const dropped = await dropForChannel(tx, id, 'the channel was removed from the configuration', now)
      if (dropped > 0)
        log.warn(
          `channel «${name}» is no longer in the configuration; ${dropped} notices that waited for it were dropped`,
        )
    }
  })
  const options = new Map(config.channels.map(({ name, options = {} }) => [name, options]))
  const channels = createChannelSet({ kinds, declared: options, deps, onOpened, log: log.child({ room: 'deliver' }) })
  await channels.open(store.db)
  return channels
}

const vapidKeys = async (store: Store): Promise<VapidKeys> =>
  JSON.parse(await sharedSecret(store, 'vapid', () => JSON.stringify(makeVapidKeys())))

/** The same for all replicas, or a link that one has signed would be refused by the next. */
const linkKey = (store: Store) => sharedSecret(store, 'links', () => randomBytes(32).toString('base64url'))

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
