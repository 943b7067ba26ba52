import { networkInterfaces } from 'node:os'
import type { Logger } from 'pino'
import { firstInvitation } from '#actions/sign-in.ts'
import type { SharedDeps } from '#channels/channel.ts'
import type { Config } from '#config/config.ts'
import { isConfidential } from '#core/web-address.ts'
import type { Store } from '#store/engine/open.ts'
import type { Exposure } from './exposure.ts'

/** Lifetime of the setup link. */
const setupLinkMs = 24 * 3_600_000

type Print = SharedDeps['print']

/** Warns of unencrypted logins, and prints the setup link of a new server. */
export async function prepareLogin({
  config,
  exposure,
  store,
  url,
  log,
  print,
}: {
  config: Config
  exposure: Exposure
  store: Store
  url: string
  log: Logger
  print: Print
}): Promise<void> {
  const base = config.publicUrl || reachableUrl(url, config.host)
  if (!exposure.isLoopback && !isConfidential(new URL(base)))
    log.warn(
      'tokens and passwords are sent unencrypted, and browsers cannot sign in: give a certificate (--tls-cert, --tls-key), or the https address of a reverse proxy (--public-url)',
    )
  await printSetupLink(store, base, print)
}

/**
 * Prints the one-time setup link of a server without an administrator. Access to the output of the server proves control over it. The link
 * works once, within a day.
 */
async function printSetupLink(store: Store, url: string, print: Print): Promise<void> {
  const invitation = await firstInvitation(store, setupLinkMs)
  if (!invitation) return
  const link = `${url.replace(/\/+$/, '')}/set-up#${invitation.secret}`
  await print({
    prefix: '',
    message: `No administrator can sign in yet. Set this server up, once and within a day: ${link}`,
    fields: {},
  })
}

/** A URL of this machine, for a server that listens on all its addresses. */
function reachableUrl(url: string, host: string): string {
  if (url.startsWith('unix:')) return 'http://localhost'
  if (host !== '0.0.0.0' && host !== '::') return url
  const { protocol, port } = new URL(url)
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address
  return `${protocol}//${address ?? '127.0.0.1'}:${port}`
}
