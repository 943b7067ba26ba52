import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, forGood, jsonOf, notBefore, secretsOf } from './error-response.ts'
import { buttonsOf, compose, plain } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { cut, type MessageText, toMessageText } from './message-text.ts'

/**
 * A push by Pushover (pushover.net/api, «Pushing Messages»). Limits: a title of 250 characters, a message of 1,024, one address of 512.
 * «Being Friendly to our API»: what it answers with 4xx must not be sent again as it is, but for 429, the quota of the month.
 */
const standardUrl = 'https://api.pushover.net'
const titleCharacters = 250
const messageCharacters = 1_024
const urlCharacters = 512
/** «Message Priority»: 2 rings until somebody answers it, for which there are reminders here. */
const priorities = { low: -1, normal: 0, high: 1 } as const

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'API server',
        description: 'Only for a proxy in between',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    token: Type.String({
      title: 'Application token',
      description: '30 letters and digits, of an application you made there',
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
        description: 'All of them where empty',
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
  about: 'A push to phones by Pushover; it needs the token of an application and the key of a user or group there.',
  options,
  concurrency: 2, // «no more than 2 concurrent HTTP requests»
  async open({ url = standardUrl, token, user, device }, { reach }) {
    const target = parseTarget(url, '/url', reach)
    const secrets = secretsOf(target.url, [token, user])
    const outbound = openHttpClient(target)
    const headers = { 'content-type': 'application/json' }
    const to = { token, user, ...(device ? { device } : {}) }
    return {
      async send(message, signal) {
        const body = JSON.stringify({ ...to, ...toPush(toMessageText(message)) })
        const answer = await outbound.request({ path: '/1/messages.json', headers, body, signal })
        const { errors } = jsonOf(answer)
        const words = Array.isArray(errors) ? cleaned(errors.join(', '), secrets) : undefined
        const outcome = toOutcome(answer, message.sentAt, words)
        if (answer.status === 429) return notBefore(outcome, untilReset(answer.headers, message.sentAt))
        return answer.status >= 400 && answer.status < 500 ? forGood(outcome) : outcome
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

/** «Limitations»: when the month's quota begins anew, in seconds since 1970. A Retry-After is nearer to the matter. */
function untilReset(headers: Readonly<Record<string, unknown>>, now: number): number | undefined {
  const reset = Number(headers['x-limit-app-reset'])
  return headers['retry-after'] === undefined && reset > 0 ? reset * 1_000 - now : undefined
}

function toPush(messageText: MessageText): object {
  // It has room for one address; the first act is the one that is done most.
  const action = buttonsOf(messageText).find(({ url }) => url.length <= urlCharacters)
  return {
    title: cut(messageText.subject, titleCharacters),
    message: compose(messageText, plain, messageCharacters),
    priority: priorities[messageText.urgency],
    ...(action ? { url: action.url, url_title: action.label } : {}),
  }
}
