import { amqpKind } from './amqp.ts'
import type { ChannelKind } from './channel.ts'
import { commandKind } from './command.ts'
import { consoleKind } from './console.ts'
import { discordKind } from './discord.ts'
import { emailKind } from './email.ts'
import { gotifyKind } from './gotify.ts'
import { matrixKind } from './matrix.ts'
import { mattermostKind } from './mattermost.ts'
import { mqttKind } from './mqtt.ts'
import { natsKind } from './nats.ts'
import { ntfyKind } from './ntfy.ts'
import { pushoverKind } from './pushover.ts'
import { redisKind } from './redis.ts'
import { slackKind } from './slack.ts'
import { teamsKind } from './teams.ts'
import { telegramKind } from './telegram.ts'
import { webhookKind } from './webhook.ts'

/** Every kind of channel. A new kind is one file and one line here. */
export const catalog: readonly ChannelKind[] = [
  consoleKind,
  webhookKind,
  ntfyKind,
  gotifyKind,
  pushoverKind,
  telegramKind,
  matrixKind,
  slackKind,
  discordKind,
  mattermostKind,
  teamsKind,
  emailKind,
  mqttKind,
  amqpKind,
  natsKind,
  redisKind,
  commandKind,
]
