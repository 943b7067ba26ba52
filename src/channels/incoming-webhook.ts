import type { Outcome } from '#core/delivery.ts'
import Type, { type Static } from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, secretsOf } from './error-response.ts'
import { type Answer, openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText } from './message-text.ts'

/**
 * What the incoming webhooks of chats have in common: one address, which is the key as well, and a POST of JSON to it. How a chat writes,
 * and what its refusals mean, is its own file's.
 */
export interface Chat {
  readonly kind: string
  readonly label: string
  readonly about: string
  /** What the person is to look for: how the address begins, and whose it is. */
  readonly urlDescription: string
  /** Adds to the address what every message needs. */
  readonly prepare?: (target: URL) => void
  /** @returns JSON */
  write(messageText: MessageText): string
  /** What the chat says went wrong, where its documentation names a place for that. */
  tokenize(answer: Answer): unknown
  /** What that means, where it is not what most servers mean by the status. */
  readonly judge?: (outcome: Outcome, answer: Answer) => Outcome
}

const optionsOf = (description: string) =>
  Type.Object(
    { url: Type.String({ title: 'Webhook URL', description, maxLength: 2_000, writeOnly: true }) },
    { additionalProperties: false },
  )
type Options = ReturnType<typeof optionsOf>

const headers = { 'content-type': 'application/json' }

export function incomingWebhook(chat: Chat): ChannelKind<Options> {
  const { kind, label, about, judge = (outcome) => outcome } = chat
  return {
    kind,
    label,
    about,
    options: optionsOf(chat.urlDescription),
    concurrency: 4,
    async open({ url }: Static<Options>, { reach }) {
      const target = parseTarget(url, '/url', reach)
      const secrets = secretsOf(target.url)
      chat.prepare?.(target.url)
      const outbound = openHttpClient(target)
      return {
        async send(message, signal) {
          const answer = await outbound.request({ headers, body: chat.write(toMessageText(message)), signal })
          return judge(toOutcome(answer, message.sentAt, cleaned(chat.tokenize(answer), secrets)), answer)
        },
        [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
      }
    },
  }
}
