import { amqpKind } from './amqp.ts'
import type { ChannelKind } from './channel.ts'
import { commandKind } from './command.ts'
import { consoleKind } from './console.ts'
import { emailKind } from './email.ts'
import { mqttKind } from './mqtt.ts'
import { natsKind } from './nats.ts'
import { redisKind } from './redis.ts'
import { webhookKind } from './webhook.ts'

/** Every kind of channel there is. A new one is a file and a line here. */
export const catalog: readonly ChannelKind[] = [
  consoleKind,
  webhookKind,
  emailKind,
  mqttKind,
  amqpKind,
  natsKind,
  redisKind,
  commandKind,
]
