import { amqpKind } from '#channels/amqp.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { emailKind } from '#channels/email.ts'
import { mqttKind } from '#channels/mqtt.ts'
import { natsKind } from '#channels/nats.ts'
import { redisKind } from '#channels/redis.ts'

export const canary = 'canary-4f1d9c'

/** A kind that uses another protocol than HTTP. Every secret is the canary. */
export interface PeerSubject {
  readonly kind: ChannelKind
  /** Options for a host and a port. */
  readonly at: (host: string, port: number, isEncrypted?: boolean) => object
  /** The first data of a server of its protocol; empty if the client starts. */
  readonly greeting: string
}

const url = (scheme: string, host: string, port: number, isEncrypted = false) =>
  `${isEncrypted ? { mqtt: 'mqtts', amqp: 'amqps', nats: 'tls', redis: 'rediss' }[scheme] : scheme}://user:${canary}@${host}:${port}`

export const peerSubjects: readonly PeerSubject[] = [
  {
    kind: emailKind,
    at: (host, port, isEncrypted) => ({
      host: host.replace(/^\[|\]$/g, ''),
      port,
      security: isEncrypted ? 'tls' : 'none',
      user: 'user',
      password: canary,
      from: 'bell@example.org',
      to: ['me@example.org'],
    }),
    greeting: '220 mail.example.org ESMTP\r\n',
  },
  { kind: mqttKind, at: (...where) => ({ url: url('mqtt', ...where), topic: 'duebell' }), greeting: '' },
  { kind: amqpKind, at: (...where) => ({ url: url('amqp', ...where), routing_key: 'duebell' }), greeting: '' },
  {
    kind: natsKind,
    at: (...where) => ({ url: url('nats', ...where), subject: 'duebell' }),
    greeting: 'INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}\r\n',
  },
  { kind: redisKind, at: (...where) => ({ url: url('redis', ...where), stream: 'duebell' }), greeting: '' },
]
