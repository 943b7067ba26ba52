import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { parseJsonObject, safeErrorText, secretsOf } from './error-response.ts'
import { formatBody, plain, plainWithLinks } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { toMessageText, truncate } from './message-text.ts'

/**
 * A push by Gotify (gotify.net, API «createMessage»). It documents no limits; these keep a list readable on a phone. `client::display`
 * («Message extras») makes clients show the text verbatim, not as Markdown.
 */
const messageCharacters = 10_000
const titleCharacters = 250
/** By its app for Android: silent below 4, loud from 8. */
const priorities = { low: 2, normal: 5, high: 8 } as const

const options = Type.Object(
  {
    url: Type.String({
      title: 'Server',
      description: 'The address of the server, as in the browser',
      maxLength: 2_000,
      affectsSecrets: true,
    }),
    token: Type.String({
      title: 'Application token',
      description: 'The token of an application, not of a client',
      pattern: '^[!-~]{1,200}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const gotifyKind: ChannelKind<typeof options> = {
  kind: 'gotify',
  label: 'Gotify',
  about: 'A push by your own Gotify server. Requires the token of an application.',
  options,
  concurrency: 4,
  async open({ url, token }, { egress }) {
    const target = parseTarget(url, '/url', egress)
    const secrets = secretsOf(target.url, [token])
    const client = openHttpClient(target)
    // Not `?token=`: proxies log addresses.
    const headers = { 'content-type': 'application/json', 'x-gotify-key': token }
    return {
      async send(message, signal) {
        const messageText = toMessageText(message)
        const body = JSON.stringify({
          title: truncate(messageText.subject, titleCharacters),
          message: formatBody(
            messageText,
            messageText.entries.length === 1 ? plainWithLinks : plain,
            messageCharacters,
          ),
          priority: priorities[messageText.urgency],
          extras: { 'client::display': { contentType: 'text/plain' } },
        })
        const response = await client.request({ path: '/message', headers, body, signal })
        return toOutcome(response, message.sentAt, safeErrorText(parseJsonObject(response).errorDescription, secrets))
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}
