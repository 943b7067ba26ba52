import { Ajv } from 'ajv'
import type { ChannelKind } from '#channels/channel.ts'
import { anywhere, isListable } from '#channels/egress-policy.ts'
import { parseTarget } from '#channels/http-client.ts'
import { toChannelSettings } from '#channels/settings.ts'
import { checkChannelConfig } from '#core/channel.ts'
import { parseTimeZone } from '#core/date-time.ts'
import { parseLead } from '#core/duration.ts'
import type { Problem } from '#core/problem.ts'
import { isConfidential } from '#core/web-address.ts'
import { proxyFault } from '#http/listen/trusted-proxies.ts'
import { socketFault } from '#http/listen/unix-socket.ts'
import { originFault } from '#http/protocol/cors.ts'
import { hostFault } from '#http/protocol/host-check.ts'
import { say, unknown, within } from './faults.ts'
import { type Config, configSchema, flagOf, type Key, members, variableOf } from './schema.ts'

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateSchema: false })
const isConfig = ajv.compile(configSchema)

/** What is wrong with values, each told by its name. */
export function check(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  isConfig(values)
  for (const error of isConfig.errors ?? []) {
    const [, key = '', ...rest] = error.instancePath.split('/')
    faults.push(say(within(names[key] ?? key, rest), error))
  }
  const { timeZone, defaultReminders, heartbeatUrl, memberHosts } = values
  if (typeof heartbeatUrl === 'string' && heartbeatUrl !== '') {
    try {
      parseTarget(heartbeatUrl, '', anywhere)
    } catch (error) {
      faults.push(`${names.heartbeatUrl}: ${(error as Problem).extras.faults?.[0]?.detail}`)
    }
  }
  checkPublicUrl(values, names, faults)
  checkOidc(values, names, faults)
  if (typeof timeZone === 'string' && timeZone !== '' && !parseTimeZone(timeZone))
    faults.push(`${names.timeZone}: must be a time zone of the IANA database, like Europe/Paris`)
  checkDoor(values, names, faults)
  if (Array.isArray(defaultReminders))
    for (const [i, lead] of defaultReminders.entries())
      if (typeof lead === 'string' && !parseLead(lead))
        faults.push(
          `${within(names.defaultReminders as string, [i])}: must be an ISO 8601 duration of at most ten years, like PT15M or P1D`,
        )
  if (Array.isArray(memberHosts))
    for (const [i, host] of memberHosts.entries())
      if (typeof host === 'string' && !isListable(host))
        faults.push(
          `${within(names.memberHosts as string, [i])}: is no host name, no address that is ever spoken to, and no range like 192.168.1.0/24`,
        )
}

/** Links are made of it, and nothing is served below a path, so that under `https://example.org/tasks` each link would be dead. */
function checkPublicUrl({ publicUrl }: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  if (typeof publicUrl !== 'string' || publicUrl === '') return
  const url = URL.parse(publicUrl)
  if (!url) faults.push(`${names.publicUrl}: must be an http or https URL, like https://tasks.example.org`)
  else if (url.pathname !== '/' || /[?#]/.test(publicUrl))
    faults.push(
      `${names.publicUrl}: must not have a path, a query or a fragment: the server answers at the root of a host only. Give it a host name of its own, like https://tasks.example.org`,
    )
  else if (url.username || url.password) faults.push(`${names.publicUrl}: must not hold a user name or password`)
}

/** All or nothing: half of it would be a button that leads nowhere, or none where one is expected. */
function checkOidc(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { oidcIssuer: issuer, publicUrl } = values
  if (issuer === '') {
    for (const key of ['oidcClientId', 'oidcClientSecret', 'oidcName', 'oidcNewUsers'] as const)
      if (values[key] !== members[key].default)
        faults.push(`${names[key]}: is of no use without ${bothNamesOf('oidcIssuer')}`)
    return
  }
  if (values.oidcClientId === '') faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('oidcClientId')} too`)
  if (values.login !== true) faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('login')} too`)
  if (publicUrl === '')
    faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('publicUrl')} too, to which the provider sends people back`)
  // Over plain http a browser keeps no `__Host-` cookie, so that nobody who comes back could be let in (RFC 6265bis section 4.1.3.2).
  const home = URL.parse(String(publicUrl))
  if (home && !isConfidential(home))
    faults.push(
      `${names.oidcIssuer}: needs a public URL of https, since browsers keep no session over http; http is for a server on this machine alone`,
    )
  if (typeof issuer !== 'string') return
  try {
    const { url } = parseTarget(issuer, '', anywhere)
    if (!isConfidential(url))
      faults.push(`${names.oidcIssuer}: must be an https URL; http is for a provider on this machine alone`)
    // OpenID Connect Discovery 1.0 section 3.
    if (/[?#]/.test(issuer)) faults.push(`${names.oidcIssuer}: must not have a query or a fragment`)
  } catch (error) {
    faults.push(`${names.oidcIssuer}: ${(error as Problem).extras.faults?.[0]?.detail}`)
  }
}

const bothNamesOf = (key: string) => `${flagOf(key)} (${variableOf(key)})`

/** How it listens, and who may come in. */
function checkDoor(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { socket, tlsCert, tlsKey, allowedHosts, trustProxy, corsOrigins } = values
  const tell = (key: Key, fault: string | undefined, ...rest: number[]) => {
    if (fault !== undefined) faults.push(`${within(names[key] as string, rest)}: ${fault}`)
  }
  const isSaid = (value: unknown) => typeof value === 'string' && value !== ''
  if (isSaid(socket)) tell('socket', socketFault(String(socket)))
  if (isSaid(tlsCert) && !isSaid(tlsKey)) tell('tlsCert', 'is of no use without a tlsKey')
  if (isSaid(tlsKey) && !isSaid(tlsCert)) tell('tlsKey', 'is of no use without a tlsCert')
  if (isSaid(tlsCert) && isSaid(socket))
    tell('tlsCert', 'is of no use with a socket, which takes the place of host and port: leave out one of the two')
  if (Array.isArray(allowedHosts))
    for (const [i, text] of allowedHosts.entries()) tell('allowedHosts', hostFault(String(text)), i)
  if (Array.isArray(trustProxy))
    for (const [i, text] of trustProxy.entries()) tell('trustProxy', proxyFault(String(text)), i)
  if (Array.isArray(corsOrigins))
    for (const [i, text] of corsOrigins.entries()) tell('corsOrigins', originFault(String(text)), i)
}

export function checkChannels({ channels }: Config, known: readonly ChannelKind[], name: string, faults: string[]) {
  const seen = new Set(['console'])
  for (const channel of channels) {
    const place = `channel «${channel.name}» (${name})`
    if (seen.has(channel.name)) faults.push(`${place}: the name is taken; «console» is the built-in one`)
    seen.add(channel.name)
    const kind = known.find((one) => one.kind === channel.kind)
    if (!kind) {
      const kinds = known.map((one) => one.kind)
      faults.push(
        `${place}: ${unknown(`kind «${channel.kind}»`, channel.kind, kinds)} (there are: ${kinds.join(', ')})`,
      )
      continue
    }
    try {
      checkChannelConfig({ ...toChannelSettings(channel), name: channel.name, options: {}, isEnabled: true })
    } catch (error) {
      faults.push(`${place}: ${(error as Error).message}`)
    }
    const isValid = ajv.compile(kind.options)
    if (!isValid(channel.options ?? {}))
      for (const error of isValid.errors ?? []) faults.push(say(`${place}: options${error.instancePath}`, error))
  }
}
