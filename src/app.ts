import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Dialect } from 'kysely'
import type { Logger } from 'pino'
import { adoptDefaults } from '#actions/defaults.ts'
import { catalog } from '#channels/catalog.ts'
import type { ChannelDeps, ChannelKind } from '#channels/channel.ts'
import { openOutbound, parseTarget, toOutcome } from '#channels/outbound.ts'
import type { Clock } from '#clock.ts'
import type { Config } from '#config.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { type Feed, startFeed } from '#http/feed.ts'
import { isLoopbackAddress } from '#http/guard.ts'
import { createServer } from '#http/server.ts'
import { toCloudEvent } from '#http/shapes.ts'
import { createLog, type Output } from '#log.ts'
import { createMetrics } from '#metrics/metrics.ts'
import { type DeliveryTimes, type OpenChannel, startDeliveries } from '#scheduler/deliver.ts'
import { startHeartbeat } from '#scheduler/heartbeat.ts'
import { emptyTrash, forgetKeptAnswers, shortenChanges, startHousekeeping } from '#scheduler/housekeeping.ts'
import { startRinging } from '#scheduler/ring.ts'
import { watchBell } from '#scheduler/watch.ts'
import { readBacklog } from '#store/backlog.ts'
import { recordChannels } from '#store/channels.ts'
import { dropForChannel, freeAllClaims } from '#store/deliveries.ts'
import { describeUrl } from '#store/dialects/server.ts'
import { openStore, type Store } from '#store/open.ts'
import { builtInOwnerId } from '#store/owners.ts'

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
  const channels = await openChannels(config, store, deps.catalog ?? catalog, { clock, print, toEvent }, stack, log)

  const deliveries = startDeliveries({
    store,
    clock,
    channels,
    defaults,
    log: log.child({ room: 'deliver' }),
    times: deps.deliveryTimes,
    onEnded: metrics.ended,
  })
  stack.defer(() => deliveries.stop(graceMs))
  for (const { id, kind } of channels) metrics.openChannel(id, kind)
  const ringing = startRinging({
    store,
    clock,
    defaults,
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
    ctx: { db: store.db, transact: store.transact, defaults, wake },
    trashDays: config.trashDays,
    isLoopback: isLoopback && !config.allowAnyoneOnNetwork,
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
      await ringing.idle()
      await deliveries.idle()
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

/** The console, which is always there, and what the configuration declares. */
async function openChannels(
  config: Config,
  store: Store,
  kinds: readonly ChannelKind[],
  deps: ChannelDeps,
  stack: AsyncDisposableStack,
  log: Logger,
): Promise<(OpenChannel & { readonly kind: string })[]> {
  const declared = [
    { name: 'console', kind: 'console', options: {}, source: 'built-in' as const },
    ...config.channels.map((channel) => ({ options: {}, ...channel, source: 'config' as const })),
  ]
  const { present } = await store.transact(async (tx, now) => {
    const records = await recordChannels(tx, builtInOwnerId, declared, now)
    for (const { id, name } of records.removed) {
      const dropped = await dropForChannel(tx, id, 'the channel was removed from the configuration', now)
      if (dropped > 0)
        log.warn(
          `channel «${name}» is no longer in the configuration; ${dropped} notices that waited for it were dropped`,
        )
    }
    return records
  })
  const channels: (OpenChannel & { readonly kind: string })[] = []
  for (const { id, name, kind: kindName } of present) {
    const kind = kinds.find((one) => one.kind === kindName)
    const options = declared.find((one) => one.name === name)?.options
    if (!kind) throw new Problem('invalid', `Channel «${name}»: there is no kind «${kindName}».`)
    const channel = await kind.open(options, deps).catch((error: Error) => {
      throw new Problem('invalid', `Channel «${name}» cannot be opened: ${describeFaults(error)}.`, { cause: error })
    })
    stack.use(channel)
    channels.push({ id, kind: kindName, ownerId: builtInOwnerId, name, concurrency: kind.concurrency, channel })
  }
  return channels
}

function describeFaults(error: Error): string {
  const [fault] = error instanceof Problem ? (error.extras.faults ?? []) : []
  return fault && 'pointer' in fault.at ? `${fault.at.pointer.slice(1)} ${fault.detail}` : error.message
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
