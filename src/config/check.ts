import { Ajv } from 'ajv'
import type { ChannelKind } from '#channels/channel.ts'
import { anywhere, isListable } from '#channels/egress-policy.ts'
import { parseTarget } from '#channels/http-client.ts'
import { toChannelSettings } from '#channels/settings.ts'
import { checkChannelConfig } from '#core/channel.ts'
import { parseTimeZone } from '#core/date-time.ts'
import { leadHint, parseLead } from '#core/duration.ts'
import type { Problem } from '#core/problem.ts'
import { isConfidential } from '#core/web-address.ts'
import { proxyFault } from '#http/listen/trusted-proxies.ts'
import { socketFault } from '#http/listen/unix-socket.ts'
import { originFault } from '#http/protocol/cors.ts'
import { hostFault } from '#http/protocol/host-check.ts'
import { formatFault, formatUnknown, memberName } from './faults.ts'
import { type Config, configSchema, flagOf, type Key, members, variableOf } from './schema.ts'

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateSchema: false })
const isConfig = ajv.compile(configSchema)

/** Adds a message for everything wrong with the values, by their names. */
export function checkValues(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  isConfig(values)
  for (const error of isConfig.errors ?? []) {
    const [, key = '', ...rest] = error.instancePath.split('/')
    faults.push(formatFault(memberName(names[key] ?? key, rest), error))
  }
  const { timeZone, heartbeatUrl, memberHosts } = values
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
  checkListening(values, names, faults)
  for (const member of ['defaultReminders', 'defaultDayReminders']) {
    const leads = values[member]
    if (!Array.isArray(leads)) continue
    for (const [i, lead] of leads.entries())
      if (typeof lead === 'string' && !parseLead(lead))
        faults.push(`${memberName(names[member] as string, [i])}: ${leadHint}`)
  }
  if (Array.isArray(memberHosts))
    for (const [i, host] of memberHosts.entries())
      if (typeof host === 'string' && !isListable(host))
        faults.push(
          `${memberName(names.memberHosts as string, [i])}: must be a host name, an allowed address, or a range like 192.168.1.0/24`,
        )
}

/** Links start with this URL. The server serves no base path: with `https://example.org/tasks` every link would be dead. */
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

/** All or nothing: an incomplete configuration would give a button that leads nowhere, or a missing one. */
function checkOidc(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { oidcIssuer: issuer, publicUrl } = values
  if (issuer === '') {
    for (const key of ['oidcClientId', 'oidcClientSecret', 'oidcName', 'oidcNewUsers'] as const)
      if (values[key] !== members[key].default) faults.push(`${names[key]}: requires ${bothNamesOf('oidcIssuer')}`)
    return
  }
  if (values.oidcClientId === '') faults.push(`${names.oidcIssuer}: also requires ${bothNamesOf('oidcClientId')}`)
  if (values.login !== true) faults.push(`${names.oidcIssuer}: also requires ${bothNamesOf('login')}`)
  if (publicUrl === '')
    faults.push(
      `${names.oidcIssuer}: also requires ${bothNamesOf('publicUrl')}, to which the provider sends users back`,
    )
  // Over plain http browsers keep no `__Host-` cookie, so that signing in could never complete (RFC 6265bis section 4.1.3.2).
  const home = URL.parse(String(publicUrl))
  if (home && !isConfidential(home))
    faults.push(
      `${names.oidcIssuer}: requires an https public URL, since browsers keep no session over http; http is for a server on this machine only`,
    )
  if (typeof issuer !== 'string') return
  try {
    const { url } = parseTarget(issuer, '', anywhere)
    if (!isConfidential(url))
      faults.push(`${names.oidcIssuer}: must be an https URL; http is for a provider on this machine only`)
    // OpenID Connect Discovery 1.0 section 3.
    if (/[?#]/.test(issuer)) faults.push(`${names.oidcIssuer}: must not have a query or a fragment`)
  } catch (error) {
    faults.push(`${names.oidcIssuer}: ${(error as Problem).extras.faults?.[0]?.detail}`)
  }
}

const bothNamesOf = (key: string) => `${flagOf(key)} (${variableOf(key)})`

/** How the server listens, and which hosts, proxies and origins it accepts. */
function checkListening(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { socket, tlsCert, tlsKey, allowedHosts, trustProxy, corsOrigins } = values
  const addFault = (key: Key, fault: string | undefined, ...rest: number[]) => {
    if (fault !== undefined) faults.push(`${memberName(names[key] as string, rest)}: ${fault}`)
  }
  const isSet = (value: unknown) => typeof value === 'string' && value !== ''
  if (isSet(socket)) addFault('socket', socketFault(String(socket)))
  if (isSet(tlsCert) && !isSet(tlsKey)) addFault('tlsCert', 'requires a tlsKey')
  if (isSet(tlsKey) && !isSet(tlsCert)) addFault('tlsKey', 'requires a tlsCert')
  if (isSet(tlsCert) && isSet(socket))
    addFault('tlsCert', 'cannot be combined with a socket, which replaces host and port: remove one of the two')
  if (Array.isArray(allowedHosts))
    for (const [i, text] of allowedHosts.entries()) addFault('allowedHosts', hostFault(String(text)), i)
  if (Array.isArray(trustProxy))
    for (const [i, text] of trustProxy.entries()) addFault('trustProxy', proxyFault(String(text)), i)
  if (Array.isArray(corsOrigins))
    for (const [i, text] of corsOrigins.entries()) addFault('corsOrigins', originFault(String(text)), i)
}

export function checkChannels({ channels }: Config, known: readonly ChannelKind[], name: string, faults: string[]) {
  const seen = new Set(['console'])
  for (const channel of channels) {
    const place = `channel «${channel.name}» (${name})`
    if (seen.has(channel.name)) faults.push(`${place}: the name is taken; «console» is the built-in channel`)
    seen.add(channel.name)
    const kind = known.find((one) => one.kind === channel.kind)
    if (!kind) {
      const kinds = known.map((one) => one.kind)
      faults.push(
        `${place}: ${formatUnknown(`kind «${channel.kind}»`, channel.kind, kinds)} (there are: ${kinds.join(', ')})`,
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
      for (const error of isValid.errors ?? [])
        faults.push(formatFault(`${place}: options${error.instancePath}`, error))
  }
}
