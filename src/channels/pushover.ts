import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { asPermanent, parseJsonObject, safeErrorText, secretsOf, withRetryAfter } from './error-response.ts'
import { buttonsOf, formatBody, plain } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText, truncate } from './message-text.ts'

/**
 * A push by Pushover (pushover.net/api, «Pushing Messages»). Limits: a title of 250 characters, a message of 1,024, one address of 512.
 * «Being Friendly to our API»: a request that was answered with 4xx must not be repeated unchanged, except 429, the monthly quota.
 */
const standardUrl = 'https://api.pushover.net'
const titleCharacters = 250
const messageCharacters = 1_024
const urlCharacters = 512
/** «Message Priority»: 2 repeats until it is acknowledged, which `repeat` of a channel does here. */
const priorities = { low: -1, normal: 0, high: 1 } as const

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'API server',
        description: 'Only for a proxy',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    token: Type.String({
      title: 'Application token',
      description: '30 letters and digits, of your application at Pushover',
      pattern: '^[A-Za-z0-9]{30}$',
      writeOnly: true,
    }),
    user: Type.String({
      title: 'User or group key',
      description: '30 letters and digits',
      pattern: '^[A-Za-z0-9]{30}$',
      writeOnly: true,
    }),
    device: Type.Optional(
      Type.String({
        title: 'Device',
        description: 'Names of devices; empty for all',
        pattern: '^[A-Za-z0-9_,-]{0,200}$',
        affectsSecrets: false,
      }),
    ),
  },
  { additionalProperties: false },
)

export const pushoverKind: ChannelKind<typeof options> = {
  kind: 'pushover',
  label: 'Pushover',
  about: 'A push to phones by Pushover. Requires the token of an application and the key of a user or group.',
  options,
  concurrency: 2, // «no more than 2 concurrent HTTP requests»
  async open({ url = standardUrl, token, user, device }, { egress }) {
    const target = parseTarget(url, '/url', egress)
    const secrets = secretsOf(target.url, [token, user])
    const client = openHttpClient(target)
    const headers = { 'content-type': 'application/json' }
    const to = { token, user, ...(device ? { device } : {}) }
    return {
      async send(message, signal) {
        const body = JSON.stringify({ ...to, ...toPush(toMessageText(message)) })
        const response = await client.request({ path: '/1/messages.json', headers, body, signal })
        const { errors } = parseJsonObject(response)
        const errorText = Array.isArray(errors) ? safeErrorText(errors.join(', '), secrets) : undefined
        const outcome = toOutcome(response, message.sentAt, errorText)
        if (response.status === 429) return withRetryAfter(outcome, untilReset(response.headers, message.sentAt))
        return response.status >= 400 && response.status < 500 ? asPermanent(outcome) : outcome
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}

/** «Limitations»: the time at which the monthly quota resets, in seconds since 1970. A Retry-After is more specific. */
function untilReset(headers: Readonly<Record<string, unknown>>, now: number): number | undefined {
  const reset = Number(headers['x-limit-app-reset'])
  return headers['retry-after'] === undefined && reset > 0 ? reset * 1_000 - now : undefined
}

function toPush(messageText: MessageText): object {
  // Pushover shows one address. The first action is the most common one.
  const action = buttonsOf(messageText).find(({ url }) => url.length <= urlCharacters)
  return {
    title: truncate(messageText.subject, titleCharacters),
    message: formatBody(messageText, plain, messageCharacters),
    priority: priorities[messageText.urgency],
    ...(action ? { url: action.url, url_title: action.label } : {}),
  }
}
