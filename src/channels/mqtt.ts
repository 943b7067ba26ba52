import { randomBytes } from 'node:crypto'
import type { MqttClient } from 'mqtt'
import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { type BrokerUrl, openSocket, parseBrokerUrl } from './socket.ts'

/**
 * A PUBLISH of QoS 1 to the topic of the options. The payload is a CloudEvent 1.0 as JSON, and task titles are nowhere else. In MQTT 5 the
 * user property `delivery-id` has the delivery's id. A retry after a lost acknowledgement repeats the same event.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'mqtt://user:password@host:1883, or mqtts:// for TLS',
      maxLength: 2_000,
      writeOnly: true,
    }),
    topic: Type.String({
      title: 'Topic',
      description: 'All notifications go to this topic; without the wildcards + and #',
      // MQTT 5.0 section 4.7: no wildcards, no NUL. A leading $ is reserved for the broker.
      pattern: '^[^+#$\\u0000-\\u001f\\u007f][^+#\\u0000-\\u001f\\u007f]*$',
      maxLength: 1_000,
      affectsSecrets: false,
    }),
    version: Type.Optional(
      Type.Enum(['5', '3.1.1'], {
        title: 'Version',
        description: 'Version of the protocol. Default: 5',
        affectsSecrets: false,
      }),
    ),
    retain: Type.Optional(
      Type.Boolean({
        title: 'Retain',
        description: 'Whether the broker keeps the last notification for later subscribers. Default: no',
        affectsSecrets: false,
      }),
    ),
  },
  { additionalProperties: false },
)

export const mqttKind: ChannelKind<typeof options> = {
  kind: 'mqtt',
  label: 'MQTT',
  about: 'A message to a topic of an MQTT broker, such as that of a home automation.',
  options,
  concurrency: 32,
  async open({ url, topic, version = '5', retain = false }, { toEvent, egress }) {
    const target = parseBrokerUrl(url, '/url', egress, ['mqtt', 1883], ['mqtts', 8883])
    if (target.path !== undefined)
      throw invalidMember('/url', 'must end with the host; the topic is an option of its own')
    // Loaded here and not at the first send, which would be 25 ms late. A server without such a channel never loads it.
    const { MqttClient } = await import('mqtt')
    const broker = openBrokerConnection(greetingBytes, (handle) => connect(MqttClient, target, version === '5', handle))
    return {
      send: (message, signal) =>
        broker.send(signal, responseBytes, async (client) => {
          const properties =
            version === '5'
              ? {
                  contentType: 'application/cloudevents+json',
                  payloadFormatIndicator: true,
                  userProperties: { 'delivery-id': message.deliveryId },
                }
              : undefined
          try {
            const payload = JSON.stringify(toEvent(message))
            await client.publishAsync(topic, payload, { qos: 1, retain, ...(properties ? { properties } : {}) })
          } catch (error) {
            throw toMqttError(error as Error)
          }
          return 'sent'
        }),
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
    }
  },
}

/**
 * CONNACK has 4 bytes, or some hundred with its properties; PUBACK has 4, plus its reason. The limits are tight, since 2 bytes are a
 * message: 128 Ki of them kept the client busy for 4 s.
 */
const greetingBytes = 4 * 1024
const responseBytes = 256

async function connect(
  Client: typeof MqttClient,
  target: BrokerUrl,
  isFive: boolean,
  { closing, budget, lost }: ConnectionHandle,
) {
  const socket = await openSocket(target, closing, budget)
  const client = new Client(() => socket, {
    manualConnect: true,
    protocolVersion: isFive ? 5 : 4,
    clientId: `duebell-${randomBytes(6).toString('hex')}`,
    clean: true,
    reconnectPeriod: 0,
    // The client queues nothing: reminders/ retries.
    queueQoSZero: false,
    resubscribe: false,
    // The signal aborts earlier.
    connectTimeout: 60_000,
    keepalive: 60,
    timerVariant: 'native',
    ...(target.user === undefined ? {} : { username: target.user }),
    ...(target.password === undefined ? {} : { password: target.password }),
  })
  closing.addEventListener('abort', () => client.end(true), { once: true })
  client.on('error', (error) => lost(toMqttError(error)))
  client.on('close', () => lost(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
  const connected = new Promise<void>((resolve) => client.once('connect', () => resolve()))
  client.connect()
  await connected
  return client
}

/** Maps the return codes of MQTT 3.1.1 section 3.2.2.3 and the reason codes of MQTT 5.0 section 2.4. */
function toMqttError(error: Error & { code?: unknown }): Error {
  const { code } = error
  if (code === 4 || code === 134) return new Refused('the user or password was refused')
  if (code === 5 || code === 135) return new Refused('the broker says: not authorized')
  if (code === 1 || code === 132) return new Unreachable('the broker does not speak this version of MQTT')
  return typeof code === 'number' && code > 0 && code < 256
    ? new Unreachable(`the broker refused it with reason code ${code}`)
    : error
}
