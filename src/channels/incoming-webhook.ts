import type { Outcome } from '#core/delivery.ts'
import Type, { type Static } from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { safeErrorText, secretsOf } from './error-response.ts'
import { type HttpResponse, openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText } from './message-text.ts'

/**
 * The incoming webhooks of chats: a POST of JSON to one address, which is also the key. The file of each chat has its markup and the
 * meaning of its errors.
 */
export interface Chat {
  readonly kind: string
  readonly label: string
  readonly about: string
  /** Helps the user find the address: how it begins, and where it comes from. */
  readonly urlDescription: string
  /** Adds parameters to the address that every message needs. */
  readonly prepare?: (target: URL) => void
  /** @returns JSON */
  render(messageText: MessageText): string
  /** The chat's error text, if its documentation defines one. */
  errorText(response: HttpResponse): unknown
  /** Corrects the outcome where the chat deviates from the usual meaning of a status. */
  readonly classify?: (outcome: Outcome, response: HttpResponse) => Outcome
}

const optionsOf = (description: string) =>
  Type.Object(
    { url: Type.String({ title: 'Webhook URL', description, maxLength: 2_000, writeOnly: true }) },
    { additionalProperties: false },
  )
type Options = ReturnType<typeof optionsOf>

const headers = { 'content-type': 'application/json' }

export function incomingWebhook(chat: Chat): ChannelKind<Options> {
  const { kind, label, about, classify = (outcome) => outcome } = chat
  return {
    kind,
    label,
    about,
    options: optionsOf(chat.urlDescription),
    concurrency: 4,
    async open({ url }: Static<Options>, { egress }) {
      const target = parseTarget(url, '/url', egress)
      const secrets = secretsOf(target.url)
      chat.prepare?.(target.url)
      const client = openHttpClient(target)
      return {
        async send(message, signal) {
          const response = await client.request({ headers, body: chat.render(toMessageText(message)), signal })
          return classify(
            toOutcome(response, message.sentAt, safeErrorText(chat.errorText(response), secrets)),
            response,
          )
        },
        [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
      }
    },
  }
}
