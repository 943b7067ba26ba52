import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Dialect } from 'kysely'
import type { Logger } from 'pino'
import { adoptDefaults } from '#actions/defaults.ts'
import { createLinks } from '#actions/links.ts'
import { firstInvitation } from '#actions/sign-in.ts'
import { goOnDeleting } from '#actions/users.ts'
import { catalog } from '#channels/catalog.ts'
import type { ChannelKind, SharedDeps } from '#channels/channel.ts'
import { anywhere, type EgressPolicyOf, publicAnd } from '#channels/egress-policy.ts'
import { openHttpClient, parseTarget, toOutcome } from '#channels/http-client.ts'
import { toChannelSettings } from '#channels/settings.ts'
import { makeVapidKeys, type VapidKeys } from '#channels/vapid.ts'
import type { Clock } from '#clock.ts'
import type { Config } from '#config/config.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { isConfidential } from '#core/web-address.ts'
import { type ChangeStream, startChangeStream } from '#events/change-stream.ts'
import { createAuthenticator } from '#http/auth/authenticate.ts'
import { createOidc } from '#http/auth/oidc.ts'
import type { ConnectionLimits } from '#http/limits/connections.ts'
import { readCertificate, watchCertificate } from '#http/listen/certificate.ts'
import { closeControlSocket, controlPath, openControlSocket } from '#http/listen/control-socket.ts'
import { listen } from '#http/listen/listen.ts'
import { isLoopbackAddress } from '#http/protocol/host-check.ts'
import { createServer } from '#http/server.ts'
import { createLog, type Output } from '#log.ts'
import { createMetrics } from '#metrics/metrics.ts'
import { createBatchSize } from '#reminders/batch-size.ts'
import { type ChannelSet, createChannelSet } from '#reminders/channel-registry.ts'
import { type DeliveryTimes, startDeliveries } from '#reminders/deliver.ts'
import { startFiring } from '#reminders/fire.ts'
import { watchHealth } from '#reminders/health.ts'
import { startHeartbeat } from '#reminders/heartbeat.ts'
import {
  emptyTrash,
  purgeIdempotencyRecords,
  purgeTokens,
  startMaintenance,
  trimAudit,
  trimChanges,
} from '#reminders/maintenance.ts'
import { startStorageWatch } from '#reminders/storage-watch.ts'
import { readBacklog } from '#store/backlog.ts'
import { builtInChannel, type Declared, recordChannels } from '#store/channels.ts'
import { dropForChannel, freeAllClaims } from '#store/deliveries.ts'
import { describeUrl } from '#store/dialects/server.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import type { Db } from '#store/schema.ts'
import { sharedSecret } from '#store/secrets.ts'
import { adminIds, builtInUserId } from '#store/users.ts'
import { toCloudEvent } from '#wire/task.ts'

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
  /** Where it listens: `http://127.0.0.1:8888`, `https://…`, `unix:/run/duebell.sock`. */
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
  let store: Store | undefined
  try {
    return await startParts(config, deps, (opened) => {
      store = opened
    })
  } catch (error) {
    // An API caller is told no path; who starts the server needs it.
    throw store?.explain(error) ?? error
  }
}

async function startParts(config: Config, deps: AppDeps, onOpened: (store: Store) => void): Promise<App> {
  const isSocket = config.socket !== ''
  const isLoopback = isSocket || isLoopbackAddress(config.host)
  if (!isLoopback && !config.login && !config.allowAnyoneOnNetwork)
    throw new Problem(
      'forbidden',
      `${config.host} can be reached from other machines, and there is no login: whoever connects could read, change and delete everything. Either say --login, and people sign in; or listen on 127.0.0.1, for programs of this machine alone. (--allow-anyone-on-network serves without login all the same.)`,
    )
  if (config.login && config.allowAnyoneOnNetwork)
    throw new Problem('invalid', '--login and --allow-anyone-on-network exclude each other.')

  const { tlsCert, tlsKey } = config
  const certificate = tlsCert === '' ? undefined : await readCertificate({ cert: tlsCert, key: tlsKey })

  await using stack = new AsyncDisposableStack()
  const { clock } = deps
  const { log, print } = await createLog({ level: config.logLevel, format: config.logFormat }, deps.output)
  const defaults: Defaults = { reminders: config.defaultReminders, timeZone: config.timeZone }

  const version = readVersion()
  const metrics = createMetrics({
    version,
    clock,
    backlog: (channelIds) => readBacklog(store.db, clock, channelIds),
    fault: () => store.storage.fault()?.kind ?? null,
  })

  let changeStream: ChangeStream | undefined
  const store = stack.use(
    await openStore(config.databaseUrl, {
      clock,
      log: log.child({ component: 'store' }),
      timeZone: config.timeZone,
      onBroken: deps.onBroken,
      onListed: (userIds) => changeStream?.wake(userIds),
      onCommitted: metrics.committed,
      ...(deps.wrapDatabase && { wrap: deps.wrapDatabase }),
    }),
  )
  onOpened(store)
  if (!store.dialect.isShared) await takeOver(store, log)
  await adoptDefaults(store, defaults, log)

  const toEvent = toCloudEvent
  const kinds = deps.catalog ?? catalog
  const channelDeps = { clock, print, toEvent }
  const readEgressPolicy = egressPolicyReader(config.memberHosts)
  const channels = stack.use(
    await openChannels(config, store, kinds, channelDeps, readEgressPolicy, metrics.openChannel, log),
  )
  const links = createLinks(await linkKey(store), config.publicUrl)

  const batchSize = createBatchSize()
  const deliveries = startDeliveries({
    store,
    clock,
    channels,
    batchSize,
    linksFor: links.linksFor,
    wakeFiring: (at) => firing.wake(at),
    log: log.child({ component: 'deliveries' }),
    times: deps.deliveryTimes,
    onEnded: metrics.ended,
  })
  stack.defer(() => deliveries.stop(graceMs))
  const firing = startFiring({
    store,
    clock,
    channels,
    deliveries,
    batchSize,
    log: log.child({ component: 'reminders' }),
    onFired: metrics.fired,
  })
  stack.defer(() => firing.stop())
  const maintenance = startMaintenance({
    clock,
    maintenanceTasks: [
      emptyTrash(store, config.trashDays),
      trimChanges(store),
      purgeIdempotencyRecords(store),
      purgeTokens(store),
      trimAudit(store),
      { name: 'users', run: () => goOnDeleting(store) },
    ],
    log: log.child({ component: 'maintenance' }),
    isLasting: (error) => isDamage(store.db, error),
  })
  stack.defer(() => maintenance.stop())
  const storageWatch = startStorageWatch({ store, clock, log: log.child({ component: 'store' }) })
  stack.defer(() => storageWatch.stop())
  const look = watchHealth({
    db: store.db,
    storage: store.storage,
    clock,
    loops: [firing, deliveries],
    requiredUserId: config.login ? null : builtInUserId,
  })
  if (config.heartbeatUrl !== '') {
    const beat = stack.use(openHeartbeat(config.heartbeatUrl, clock))
    const heartbeat = startHeartbeat({ clock, look, beat: beat.send, log: log.child({ component: 'heartbeat' }) })
    stack.defer(() => heartbeat.stop())
  }
  const wake = (at: number) => {
    firing.wake(at)
    deliveries.wake(at)
  }

  changeStream = startChangeStream({ db: store.db, clock, log: log.child({ component: 'http' }) })
  const authenticator = createAuthenticator({ db: store.db, transact: store.transact, clock, isOpen: !config.login })
  stack.defer(() => authenticator.close())
  const server = createServer({
    authenticator,
    isOpen: !config.login,
    provider: await openProvider(config, store, clock),
    publicUrl: config.publicUrl,
    defaults,
    db: store.db,
    ctx: { db: store.db, transact: store.transact, wake, kinds, channelDeps, readEgressPolicy },
    links,
    webPushKey: (await vapidKeys(store)).publicKey,
    trashDays: config.trashDays,
    certificate,
    isLocalOnly: isLoopback && !config.login && !config.allowAnyoneOnNetwork,
    isSocket,
    // Programs of one machine are told apart by nothing.
    rateLimit: isLoopback && !config.login ? 0 : config.rateLimit,
    connections: deps.connections,
    allowedHosts: config.allowedHosts,
    trustProxy: config.trustProxy,
    corsOrigins: config.corsOrigins,
    log: log.child({ component: 'http' }),
    changeStream,
    clock,
    health: { version, look },
    metrics,
    onRequest: batchSize.asked,
  })
  stack.defer(() => server.close())
  await offerControl(config.databaseUrl, server, authenticator.trust, log)
  const url = await listen(
    server,
    config,
    (url) =>
      `Duebell ${version} is listening on ${url}, time zone ${config.timeZone}, ${describeUrl(config.databaseUrl)}`,
  )
  if (certificate) stack.defer(watchCertificate({ server, certificate, clock, log: log.child({ component: 'http' }) }))
  if (config.login) {
    const base = config.publicUrl || reachableUrl(url, config.host)
    if (!isLoopback && !isConfidential(new URL(base)))
      log.warn(
        'Tokens and passwords travel in the clear, and nobody can sign in by a browser: give a certificate (--tls-cert, --tls-key), or the https address of a proxy in front (--public-url).',
      )
    await offerSetUp(store, base, print)
  }

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
        await firing.idle()
        await deliveries.idle()
      }
      await maintenance.idle()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Spoken to when the first person signs in by it: a server starts while it is away. */
async function openProvider(config: Config, store: Store, clock: Clock) {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcClientSecret: clientSecret, publicUrl } = config
  if (issuer === '') return null
  const redirectUri = `${publicUrl.replace(/\/+$/, '')}/auth/oidc/callback`
  const secret = clientSecret === '' ? {} : { clientSecret }
  const oidc = createOidc({ issuer, clientId, ...secret, redirectUri, cookieKey: await cookieKey(store), clock })
  return { oidc, name: config.oidcName, newUsers: config.oidcNewUsers }
}

/** How long the one link lasts by which a server is set up to which nobody can come in yet. */
const setUpMs = 24 * 3_600_000

/** Printed, since whoever sees what this server prints has the server. It is good once, and for a day. */
async function offerSetUp(store: Store, url: string, print: Awaited<ReturnType<typeof createLog>>['print']) {
  const invitation = await firstInvitation(store, setUpMs)
  if (!invitation) return
  const link = `${url.replace(/\/+$/, '')}/set-up#${invitation.secret}`
  await print({
    prefix: '',
    message: `Nobody can come in yet. Set this server up, once and within a day: ${link}`,
    fields: {},
  })
}

/** For commands on the server itself. Without it they work while the server does not run. */
async function offerControl(
  databaseUrl: string,
  server: FastifyInstance,
  trust: (socket: Socket) => void,
  log: Logger,
) {
  const path = controlPath(databaseUrl)
  if (path === undefined) return
  try {
    const control = await openControlSocket(server, path, trust)
    server.addHook('preClose', () => closeControlSocket(server, control))
  } catch (error) {
    log.warn(`There is no control socket for commands beside the running server: ${(error as Error).message}`)
  }
}

/** An address of this machine, where it listens on all of them. */
function reachableUrl(url: string, host: string): string {
  if (url.startsWith('unix:')) return 'http://localhost'
  if (host !== '0.0.0.0' && host !== '::') return url
  const { protocol, port } = new URL(url)
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address
  return `${protocol}//${address ?? '127.0.0.1'}:${port}`
}

/** A GET to an address of the operator's, with the rules of every address that is spoken to. */
function openHeartbeat(url: string, clock: Clock) {
  const outbound = openHttpClient(parseTarget(url, '/heartbeatUrl', anywhere))
  return {
    send: async (signal: AbortSignal) =>
      toOutcome(await outbound.request({ method: 'GET', headers: {}, body: '', signal }), clock.now()),
    [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
  }
}

/**
 * Into the private network go channels of the configuration, and of administrators; those of others only where it is listed.
 */
function egressPolicyReader(memberHosts: readonly string[]): (db: Db) => Promise<EgressPolicyOf> {
  const ofMembers = publicAnd(memberHosts)
  return async (db) => {
    const admins = await adminIds(db)
    return ({ userId, source }) => (source !== 'api' || admins.has(userId) ? anywhere : ofMembers)
  }
}

/** We are alone with an embedded database: what a predecessor had in hand when it died is due again at once. */
async function takeOver(store: Store, log: Logger) {
  const freed = await store.transact((tx, now) => freeAllClaims(tx, now)).catch(passOverDamage(store, log))
  if (freed > 0) log.warn(`${freed} deliveries were in flight when the server last stopped: they are tried again`)
}

/** A damaged page ends no start: what it holds waits, and all other reminders fire. The storage has logged the error. */
function passOverDamage({ db }: Store, log: Logger) {
  return (error: unknown): 0 => {
    if (!isDamage(db, error)) throw error
    log.error(
      'deliveries that were underway when the server last stopped cannot be freed; each waits for the end of its lease',
    )
    return 0
  }
}

/** The console, which is always there, what the configuration declares, and what people have made. */
async function openChannels(
  config: Config,
  store: Store,
  kinds: readonly ChannelKind[],
  deps: SharedDeps,
  readEgressPolicy: ReturnType<typeof egressPolicyReader>,
  onOpened: (id: number, kind: string) => void,
  log: Logger,
): Promise<ChannelSet> {
  const declared = [
    builtInChannel,
    ...config.channels.map(
      (one): Declared => ({ ...toChannelSettings(one), name: one.name, kind: one.kind, source: 'config' }),
    ),
  ]
  await store.transact(async (tx, now) => {
    const { removed } = await recordChannels(tx, builtInUserId, declared, now)
    for (const { id, name } of removed) {
      const dropped = await dropForChannel(tx, id, 'the channel was removed from the configuration', now)
      if (dropped > 0)
        log.warn(
          `channel «${name}» is no longer in the configuration; ${dropped} notifications that waited for it were dropped`,
        )
    }
  })
  const options = new Map(config.channels.map(({ name, options = {} }) => [name, options]))
  const parts = {
    kinds,
    declared: options,
    deps,
    readEgressPolicy,
    onOpened,
    log: log.child({ component: 'deliveries' }),
  }
  const channels = createChannelSet(parts)
  await channels.open(store.db)
  return channels
}

const vapidKeys = async (store: Store): Promise<VapidKeys> =>
  JSON.parse(await sharedSecret(store, 'vapid', () => JSON.stringify(makeVapidKeys())))

/** The same for all replicas, or a link that one has signed would be refused by the next. */
const linkKey = (store: Store) => sharedSecret(store, 'links', () => randomBytes(32).toString('base64url'))

/** The same for all replicas: what one has begun, another finishes. */
const cookieKey = (store: Store) => sharedSecret(store, 'seal', () => randomBytes(32).toString('base64url'))

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
