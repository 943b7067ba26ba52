import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import type { Config } from '#config/config.ts'
import { createOidc } from '#http/auth/oidc.ts'
import { type Certificate, readCertificate } from '#http/listen/certificate.ts'
import { closeControlSocket, controlPath, openControlSocket } from '#http/listen/control-socket.ts'
import type { ServerDeps } from '#http/server.ts'
import type { Store } from '#store/engine/open.ts'
import type { Exposure } from './exposure.ts'
import { cookieKey } from './secrets.ts'

/** The options of the HTTP server that follow from the configuration. */
export function toServerOptions(config: Config, { isSocket, isLoopback }: Exposure) {
  return {
    isOpen: !config.login,
    publicUrl: config.publicUrl,
    trashDays: config.trashDays,
    isLocalOnly: isLoopback && !config.login && !config.allowAnyoneOnNetwork,
    isSocket,
    // Without login, the programs of one machine cannot be told apart.
    rateLimit: isLoopback && !config.login ? 0 : config.rateLimit,
    allowedHosts: config.allowedHosts,
    trustProxy: config.trustProxy,
    corsOrigins: config.corsOrigins,
  } satisfies Partial<ServerDeps>
}

export async function openCertificate({ tlsCert, tlsKey }: Config): Promise<Certificate | undefined> {
  return tlsCert === '' ? undefined : readCertificate({ cert: tlsCert, key: tlsKey })
}

/** The provider is contacted at the first sign-in, so that the server starts while it is away. */
export async function openProvider(config: Config, store: Store, clock: Clock): Promise<ServerDeps['provider']> {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcClientSecret: clientSecret, publicUrl } = config
  if (issuer === '') return null
  const redirectUri = `${publicUrl.replace(/\/+$/, '')}/auth/oidc/callback`
  const secret = clientSecret === '' ? {} : { clientSecret }
  const oidc = createOidc({ issuer, clientId, ...secret, redirectUri, cookieKey: await cookieKey(store), clock })
  return { oidc, name: config.oidcName, newUsers: config.oidcNewUsers }
}

/** Opens the control socket for commands on this machine. Without it, they work only while the server is stopped. */
export async function offerControlSocket(
  databaseUrl: string,
  server: FastifyInstance,
  trust: (socket: Socket) => void,
  log: Logger,
): Promise<void> {
  const path = controlPath(databaseUrl)
  if (path === undefined) return
  try {
    const control = await openControlSocket(server, path, trust)
    server.addHook('preClose', () => closeControlSocket(server, control))
  } catch (error) {
    log.warn(`The control socket cannot be opened, so commands need a stopped server: ${(error as Error).message}`)
  }
}
