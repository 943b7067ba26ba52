import { catalog } from '#channels/catalog.ts'
import type { Canaries } from './canaries.ts'

/** The addresses of the receivers. */
export interface Place {
  readonly port: number
  readonly isEncrypted?: boolean
}

type Mark = (member: string, shape?: (mark: string) => string) => string

/**
 * Options of each kind of channel, for a receiver on this machine, with a secret wherever possible: in every secret member, and in every
 * address, whose path or query may be a key.
 */
const makers: Readonly<Record<string, (place: Place, mark: Mark) => object>> = {
  webhook: (place, mark) => ({
    url: `${http(place)}/hook/${mark('url')}`,
    secret: mark('secret', ofSignature),
    previous_secret: mark('previous_secret', ofSignature),
    previous_until: '2099-01-01T00:00:00Z',
  }),
  // Its address contains no secret: a path or a query is refused.
  ntfy: (place, mark) => ({ url: http(place), topic: 'renewals', token: mark('token', odd) }),
  gotify: (place, mark) => ({ url: `${http(place)}/${mark('url')}`, token: mark('token', odd) }),
  pushover: (place, mark) => ({
    url: `${http(place)}/${mark('url')}`,
    token: mark('token', ofThirty),
    user: mark('user', ofThirty),
  }),
  telegram: (place, mark) => ({
    url: `${http(place)}/${mark('url')}`,
    token: mark('token', (one) => `123456:${one}_`),
    chat_id: '-10042',
  }),
  matrix: (place, mark) => ({
    url: `${http(place)}/${mark('url')}`,
    room_id: '!room:example.org',
    access_token: mark('access_token', odd),
  }),
  slack: (place, mark) => ({ url: `${http(place)}/services/${mark('url')}` }),
  discord: (place, mark) => ({ url: `${http(place)}/api/webhooks/1/${mark('url', (one) => `${one}%2B%C3%BC`)}` }),
  mattermost: (place, mark) => ({ url: `${http(place)}/hooks/${mark('url')}` }),
  teams: (place, mark) => ({ url: `${http(place)}/workflows/x?api-version=1&sig=${mark('url')}` }),
  email: ({ port, isEncrypted }, mark) => ({
    host: '127.0.0.1',
    port,
    security: isEncrypted ? 'tls' : 'none',
    user: 'bell',
    password: mark('password', odd),
    from: 'bell@example.org',
    to: ['me@example.org'],
  }),
  mqtt: (place, mark) => ({ url: broker(place, 'mqtt', 'mqtts', mark), topic: 'duebell' }),
  amqp: (place, mark) => ({ url: broker(place, 'amqp', 'amqps', mark), routing_key: 'duebell' }),
  nats: (place, mark) => ({ url: broker(place, 'nats', 'tls', mark), subject: 'duebell' }),
  redis: (place, mark) => ({ url: broker(place, 'redis', 'rediss', mark), stream: 'duebell' }),
}

const http = ({ port, isEncrypted }: Place) => `${isEncrypted ? 'https' : 'http'}://127.0.0.1:${port}`
const broker = ({ port, isEncrypted }: Place, plain: string, encrypted: string, mark: Mark) =>
  `${isEncrypted ? encrypted : plain}://user:${mark('url', (one) => `${one}%2F%25`)}@127.0.0.1:${port}`

const odd = (mark: string) => `${mark}+/%"<&>\\`
const ofThirty = (mark: string) => mark.padEnd(30, 'A')
/** 24 bytes at least. */
const ofSignature = (mark: string) => `whsec_${mark.padEnd(32, 'A')}`

/** Options that can be secret and are not `writeOnly`: an address that its user must see. Other callers must not. */
export const shownToItsUser = ['webhook', 'gotify', 'pushover', 'telegram', 'matrix'].map((kind) => `${kind}.url`)

export const secretKinds = Object.keys(makers)

/** @param of the name of this channel; its secrets are called `<of>: <kind>.<member>` */
export function secretOptions(canaries: Canaries, kind: string, place: Place, of: string): object {
  const make = makers[kind]
  if (!make) throw new Error(`the kind ${kind} is new: give it options with a secret in each member that is one`)
  return make(place, (member, shape) => canaries.make(`${of}: ${kind}.${member}`, shape))
}

/** Every option that its kind marks as secret, as `kind.member`. */
export const writeOnlyOptions = catalog.flatMap(({ kind, options }) =>
  Object.entries((options as { properties?: Record<string, { writeOnly?: boolean }> }).properties ?? {})
    .filter(([, { writeOnly }]) => writeOnly)
    .map(([member]) => `${kind}.${member}`),
)
