import { isIP } from 'node:net'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { asPermanent, parseJsonObject, safeErrorText, secretsOf, withRetryAfter } from './error-response.ts'
import { buttonsOf, formatBody, plain, plainWithLinks, truncateEscaped } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type Action, type MessageText, toMessageText } from './message-text.ts'

/**
 * A message by a Telegram bot (core.telegram.org/bots/api, «sendMessage»). Limit: 4,096 characters. Without `parse_mode` nothing needs
 * escaping. The token is part of the path («Making requests»), so error texts must never contain the path.
 */
const standardUrl = 'https://api.telegram.org'
const messageCharacters = 4_096
const subjectCharacters = 1_000

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'API server',
        description: 'Only for your own Bot API server',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    token: Type.String({
      title: 'Bot token',
      description: 'The token from BotFather: a number, a colon, and letters',
      pattern: '^[0-9]{1,20}:[A-Za-z0-9_-]{20,100}$',
      writeOnly: true,
    }),
    chat_id: Type.String({
      title: 'Chat',
      description: 'The number of a chat, or the @name of a public channel; a user must have written to the bot first',
      pattern: '^(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})$',
      affectsSecrets: false,
    }),
    message_thread_id: Type.Optional(
      Type.Integer({
        title: 'Topic',
        description: 'The number of a topic, in a group with topics',
        minimum: 1,
        affectsSecrets: false,
      }),
    ),
  },
  { additionalProperties: false },
)

export const telegramKind: ChannelKind<typeof options> = {
  kind: 'telegram',
  label: 'Telegram',
  about: 'A message to a chat, group or channel in Telegram. Requires the token of a bot that may write there.',
  options,
  concurrency: 4,
  async open({ url = standardUrl, token, chat_id, message_thread_id }, { egress }) {
    const target = parseTarget(url, '/url', egress)
    const client = openHttpClient(target)
    const path = `/bot${token}/sendMessage`
    const headers = { 'content-type': 'application/json' }
    // The part after the colon is the key, and as secret as the whole token.
    const secrets = secretsOf(target.url, [token, token.slice(token.indexOf(':') + 1)])
    return {
      async send(message, signal) {
        const to = message_thread_id === undefined ? { chat_id } : { chat_id, message_thread_id }
        const body = JSON.stringify({ ...to, ...toMessage(toMessageText(message)) })
        const response = await client.request({ path, headers, body, signal })
        const { description, parameters } = parseJsonObject(response)
        const outcome = toOutcome(response, message.sentAt, safeErrorText(description, secrets))
        // 404 means an invalid token. A chat is not found until a user adds the bot.
        if (response.status === 404 || /chat not found/i.test(String(description))) return asPermanent(outcome)
        const { retry_after } = (parameters ?? {}) as { retry_after?: unknown }
        return typeof retry_after === 'number' ? withRetryAfter(outcome, retry_after * 1_000) : outcome
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}

function toMessage(messageText: MessageText): object {
  const actions = buttonsOf(messageText)
  const haveButtons = actions.length > 0 && actions.every(isPublic)
  const subject = `${truncateEscaped(messageText.subject, subjectCharacters, plain.text)}\n`
  const markup = messageText.entries.length === 1 && !haveButtons ? plainWithLinks : plain
  return {
    text: subject + formatBody(messageText, markup, messageCharacters - subject.length),
    link_preview_options: { is_disabled: true },
    disable_notification: messageText.urgency === 'low',
    ...(haveButtons
      ? { reply_markup: { inline_keyboard: [actions.map(({ label, url }) => ({ text: label, url }))] } }
      : {}),
  }
}

/** Telegram rejects a message with a button for a host name of a home network. In the text such an address is allowed. */
function isPublic({ url }: Action): boolean {
  const { protocol, hostname } = new URL(url)
  const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 && hostname.includes('.')
  return protocol === 'https:' && isName && !/\.(local|localhost|internal|lan|home|arpa|test)$/.test(hostname)
}
