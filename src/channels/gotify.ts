import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, jsonOf, secretsOf } from './error-response.ts'
import { compose, plain, plainWithLinks } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { cut, toMessageText } from './message-text.ts'

/**
 * A push by Gotify (gotify.net, API «createMessage»). It names no limits; these keep a list readable on a phone. The text is shown
 * as it is: `client::display` says so («Message extras»), for a client that would rather read Markdown.
 */
const messageCharacters = 10_000
const titleCharacters = 250
/** As its app for Android sorts them: silent below 4, loud from 8. */
const priorities = { low: 2, normal: 5, high: 8 } as const

const options = Type.Object(
  {
    url: Type.String({
      title: 'Server',
      description: 'Its address, as in the browser',
      maxLength: 2_000,
      affectsSecrets: true,
    }),
    token: Type.String({
      title: 'Application token',
      description: 'Of an application, not of a client',
      pattern: '^[!-~]{1,200}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const gotifyKind: ChannelKind<typeof options> = {
  kind: 'gotify',
  label: 'Gotify',
  about: 'A push by your own Gotify server; it needs the token of an application there.',
  options,
  concurrency: 4,
  async open({ url, token }, { reach }) {
    const target = parseTarget(url, '/url', reach)
    const secrets = secretsOf(target.url, [token])
    const outbound = openHttpClient(target)
    // Not `?token=`: addresses stand in the logs of proxies.
    const headers = { 'content-type': 'application/json', 'x-gotify-key': token }
    return {
      async send(message, signal) {
        const messageText = toMessageText(message)
        const body = JSON.stringify({
          title: cut(messageText.subject, titleCharacters),
          message: compose(messageText, messageText.entries.length === 1 ? plainWithLinks : plain, messageCharacters),
          priority: priorities[messageText.urgency],
          extras: { 'client::display': { contentType: 'text/plain' } },
        })
        const answer = await outbound.request({ path: '/message', headers, body, signal })
        return toOutcome(answer, message.sentAt, cleaned(jsonOf(answer).errorDescription, secrets))
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}
