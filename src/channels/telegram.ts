import { isIP } from 'node:net'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, forGood, jsonOf, notBefore, secretsOf } from './error-response.ts'
import { buttonsOf, compose, cutEscaped, plain, plainWithLinks } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type Action, type MessageText, toMessageText } from './message-text.ts'

/**
 * A message by a bot of Telegram (core.telegram.org/bots/api, «sendMessage»). 4,096 characters; without `parse_mode`, so that
 * nothing has to be escaped. The token is a part of the path («Making requests»): whatever is said of a failure must not say it.
 */
const standardUrl = 'https://api.telegram.org'
const messageCharacters = 4_096
const subjectCharacters = 1_000

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'API server',
        description: 'Only for a Bot API server of your own',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    token: Type.String({
      title: 'Bot token',
      description: 'As BotFather gave it: a number, a colon, and letters',
      pattern: '^[0-9]{1,20}:[A-Za-z0-9_-]{20,100}$',
      writeOnly: true,
    }),
    chat_id: Type.String({
      title: 'Chat',
      description:
        'The number of a chat, or the @name of a public channel; a person must have written to the bot first',
      pattern: '^(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})$',
      affectsSecrets: false,
    }),
    message_thread_id: Type.Optional(
      Type.Integer({
        title: 'Topic',
        description: 'The number of a topic, in a group that has some',
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
  about: 'A message to a chat, group or channel in Telegram; it needs the token of a bot that may write there.',
  options,
  concurrency: 4,
  async open({ url = standardUrl, token, chat_id, message_thread_id }, { reach }) {
    const target = parseTarget(url, '/url', reach)
    const outbound = openHttpClient(target)
    const path = `/bot${token}/sendMessage`
    const headers = { 'content-type': 'application/json' }
    // The part behind the colon is the key; alone it is as secret as the whole.
    const secrets = secretsOf(target.url, [token, token.slice(token.indexOf(':') + 1)])
    return {
      async send(message, signal) {
        const to = message_thread_id === undefined ? { chat_id } : { chat_id, message_thread_id }
        const body = JSON.stringify({ ...to, ...toMessage(toMessageText(message)) })
        const answer = await outbound.request({ path, headers, body, signal })
        const { description, parameters } = jsonOf(answer)
        const outcome = toOutcome(answer, message.sentAt, cleaned(description, secrets))
        // 404 is a token that is none. A chat that is not found stays so until somebody lets the bot in.
        if (answer.status === 404 || /chat not found/i.test(String(description))) return forGood(outcome)
        const { retry_after } = (parameters ?? {}) as { retry_after?: unknown }
        return typeof retry_after === 'number' ? notBefore(outcome, retry_after * 1_000) : outcome
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

function toMessage(messageText: MessageText): object {
  const actions = buttonsOf(messageText)
  const haveButtons = actions.length > 0 && actions.every(isPublic)
  const subject = `${cutEscaped(messageText.subject, subjectCharacters, plain.text)}\n`
  const markup = messageText.entries.length === 1 && !haveButtons ? plainWithLinks : plain
  return {
    text: subject + compose(messageText, markup, messageCharacters - subject.length),
    link_preview_options: { is_disabled: true },
    disable_notification: messageText.urgency === 'low',
    ...(haveButtons
      ? { reply_markup: { inline_keyboard: [actions.map(({ label, url }) => ({ text: label, url }))] } }
      : {}),
  }
}

/** Telegram refuses the whole message for a button that leads to a name only a home network knows. In the text it may stand. */
function isPublic({ url }: Action): boolean {
  const { protocol, hostname } = new URL(url)
  const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 && hostname.includes('.')
  return protocol === 'https:' && isName && !/\.(local|localhost|internal|lan|home|arpa|test)$/.test(hostname)
}
