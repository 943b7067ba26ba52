import type { Dialect } from 'kysely'
import type { Logger } from 'pino'
import { createActionLinks } from '#actions/links.ts'
import { catalog } from '#channels/catalog.ts'
import type { ChannelKind } from '#channels/channel.ts'
import type { Clock } from '#clock.ts'
import { type Config, defaultsOf } from '#config/config.ts'
import { type ChangeStream, startChangeStream } from '#events/change-stream.ts'
import { createAuthenticator } from '#http/auth/authenticate.ts'
import type { ConnectionLimits } from '#http/limits/connections.ts'
import { watchCertificate } from '#http/listen/certificate.ts'
import { listen } from '#http/listen/listen.ts'
import { createServer } from '#http/server.ts'
import { createLog, type Output } from '#log.ts'
import { createMetrics } from '#metrics/metrics.ts'
import type { DeliveryTimes } from '#reminders/attempts.ts'
import { egressPolicyReader, openChannels } from '#startup/channels.ts'
import { releaseStaleClaims } from '#startup/claims.ts'
import { checkExposure } from '#startup/exposure.ts'
import { prepareLogin } from '#startup/login.ts'
import { startReminders } from '#startup/reminders.ts'
import { linkKey, vapidKeys } from '#startup/secrets.ts'
import { offerControlSocket, openCertificate, openProvider, toServerOptions } from '#startup/server.ts'
import { readVersion } from '#startup/version.ts'
import { readBacklog } from '#store/backlog.ts'
import { printableUrl } from '#store/dialects/server.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { adoptServerDefaults, adoptZoneRules } from '#store/preferences.ts'
import { toCloudEvent } from '#wire/cloud-event.ts'

/** The environment of the app. */
export interface AppDeps {
  readonly clock: Clock
  readonly output: Output
  /** Called after an error that only a restart can repair. */
  readonly onBroken: (error: unknown) => void
  /** The version of the IANA database of this process, `2026b`. Absent: its changes are not noticed. */
  readonly zoneRules?: string
  /** Ends the wait for a database that does not answer yet: the start then rejects with the reason of the signal. */
  readonly stopping?: AbortSignal
  readonly catalog?: readonly ChannelKind[]
  readonly wrapDatabase?: (dialect: Dialect) => Dialect
  /** How long a claim and an attempt last; the defaults if absent. */
  readonly deliveryTimes?: DeliveryTimes
  /** Time limits of connections; the defaults if absent. */
  readonly connections?: Partial<ConnectionLimits>
}

export interface App extends AsyncDisposable {
  /** The address of the server: `http://127.0.0.1:8888`, `https://…`, `unix:/run/duebell.sock`. */
  readonly url: string
  readonly log: Logger
  readonly store: Store
  /** Resolves when no reminder, delivery, write or maintenance task is due. */
  idle(): Promise<void>
  /** Stops listening, ends the work in progress, closes everything. A second call waits for the first. */
  stop(): Promise<void>
}

/** @throws Problem with a message for the administrator */
export async function startApp(config: Config, deps: AppDeps): Promise<App> {
  let store: Store | undefined
  try {
    return await openApp(config, deps, (opened) => {
      store = opened
    })
  } catch (error) {
    // API callers must not see paths; the administrator who starts the server needs them.
    throw store?.toStartupProblem(error) ?? error
  }
}

/** The whole wiring, in order; stopped in reverse. */
async function openApp(config: Config, deps: AppDeps, onOpened: (store: Store) => void): Promise<App> {
  const exposure = checkExposure(config)
  const certificate = await openCertificate(config)

  await using stack = new AsyncDisposableStack()
  const { clock } = deps
  const { log, print } = await createLog({ level: config.logLevel, format: config.logFormat }, deps.output)
  const httpLog = log.child({ component: 'http' })
  const defaults = defaultsOf(config)
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
      onChangesCommitted: (userIds) => changeStream?.wake(userIds),
      onCommitted: metrics.committed,
      ...(deps.wrapDatabase && { wrap: deps.wrapDatabase }),
      ...(deps.stopping && { stopping: deps.stopping }),
    }),
  )
  onOpened(store)
  const { db, transact } = store
  if (!store.dialect.isShared) await releaseStaleClaims(store, log)
  await transact((tx, now) => adoptServerDefaults(tx, defaults, now))
  const { zoneRules } = deps
  if (zoneRules && (await transact((tx, now) => adoptZoneRules(tx, zoneRules, now))))
    log.info({ zoneRules }, 'the rules of time zones have changed: local times are computed anew')

  const kinds = deps.catalog ?? catalog
  const channelDeps = { clock, print, toEvent: toCloudEvent }
  const readEgressPolicy = egressPolicyReader(config.memberHosts)
  const onOpenedChannel = metrics.openChannel
  const channels = stack.use(
    await openChannels({ config, store, kinds, channelDeps, readEgressPolicy, onOpenedChannel, log }),
  )
  const links = createActionLinks(await linkKey(store), config.publicUrl)
  const { linksFor } = links
  const times = deps.deliveryTimes
  const reminders = startReminders({ config, store, clock, channels, linksFor, metrics, times, log }, stack)

  changeStream = startChangeStream({ db, clock, log: httpLog })
  const authenticator = createAuthenticator({ db, transact, clock, isOpen: !config.login })
  stack.defer(() => authenticator.close())
  const server = createServer({
    ...toServerOptions(config, exposure),
    authenticator,
    provider: await openProvider(config, store, clock),
    defaults,
    db,
    ctx: { db, transact, wake: reminders.wake, kinds, channelDeps, readEgressPolicy },
    links,
    webPushKey: (await vapidKeys(store)).publicKey,
    certificate,
    connections: deps.connections,
    log: httpLog,
    changeStream,
    clock,
    health: { version, look: reminders.checkHealth },
    metrics,
    onRequest: reminders.noteRequest,
  })
  stack.defer(() => server.close())
  await offerControlSocket(config.databaseUrl, server, authenticator.trust, log)
  const listening = `time zone ${config.timeZone}, ${printableUrl(config.databaseUrl)}`
  const url = await listen(server, config, (url) => `Duebell ${version} is listening on ${url}, ${listening}`)
  // After the port and the reminders, which do not wait for it.
  reminders.startRecompute()
  if (certificate) stack.defer(watchCertificate({ server, certificate, clock, log: httpLog }))
  if (config.login) await prepareLogin({ config, exposure, store, url, log, print })
  return toApp({ url, log, store, idle: reminders.idle }, stack.move())
}

function toApp(app: Pick<App, 'url' | 'log' | 'store' | 'idle'>, stack: AsyncDisposableStack): App {
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= stack.disposeAsync())
  return { ...app, stop, [Symbol.asyncDispose]: stop }
}
