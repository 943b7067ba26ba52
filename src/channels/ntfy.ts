import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, jsonOf, secretsOf } from './error-response.ts'
import { buttonsOf, compose, plain } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { cut, type MessageText, toMessageText } from './message-text.ts'

/**
 * A push by ntfy (docs.ntfy.sh, «Publish as JSON»): to the root of the server, so that no title stands in a header, where ntfy
 * reads it, too, but HTTP would have it in ASCII. Its limits («Limitations»): a message of 4,096 bytes, and what is longer becomes
 * an attachment; the JSON of all may be twice as long. Three buttons («Action buttons»), pressed without leaving the notification.
 */
const standardUrl = 'https://ntfy.sh'
const messageBytes = 4_096
const titleCharacters = 250
const maxTags = 5
const tagCharacters = 40
const maxButtons = 3
/** Their addresses share the other half of the JSON with the title. */
const buttonsBytes = 2_400
/** «Message priority»: 5 breaks through «do not disturb», which is not ours to decide. */
const priorities = { low: 2, normal: 3, high: 4 } as const

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'Server',
        description: 'Its address',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    // Not a secret in the sense of the schema, though who knows it may read along: one has to see it to subscribe to it.
    topic: Type.String({
      title: 'Topic',
      description: 'Who knows its name may read it, unless the server protects it',
      pattern: '^[-_A-Za-z0-9]{1,64}$',
      affectsSecrets: false,
    }),
    token: Type.Optional(
      Type.String({
        title: 'Access token',
        description: 'For a protected topic: tk_ and 29 characters',
        pattern: '^[!-~]{1,200}$',
        writeOnly: true,
      }),
    ),
  },
  { additionalProperties: false },
)

export const ntfyKind: ChannelKind<typeof options> = {
  kind: 'ntfy',
  label: 'ntfy',
  about: 'A push to phones and browsers by ntfy, on its public server or your own; it needs a topic.',
  options,
  concurrency: 4,
  async open({ url = standardUrl, topic, token }, { reach }) {
    const target = parseTarget(url, '/url', reach)
    // ntfy publishes JSON at the root alone (docs.ntfy.sh, «Publish as JSON»). Below a path it would take the JSON for the text of a
    // message to the topic of that name, and say 200.
    if (target.url.pathname !== '/' || target.url.search !== '' || target.url.hash !== '')
      throw invalidMember('/url', 'must be the address of the server alone; the topic has a member of its own, topic')
    const secrets = secretsOf(target.url, token ? [token] : [])
    const outbound = openHttpClient(target)
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }
    return {
      async send(message, signal) {
        const body = JSON.stringify({ topic, ...toPush(toMessageText(message)) })
        const answer = await outbound.request({ headers, body, signal })
        return toOutcome(answer, message.sentAt, cleaned(jsonOf(answer).error, secrets))
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

function toPush(messageText: MessageText): object {
  const tags = messageText.entries.length === 1 ? messageText.entries[0].tags : []
  const actions = buttonsOf(messageText)
    .slice(0, maxButtons)
    .map(({ label, url }) => ({ action: 'http', label, url, method: 'POST', clear: true }))
  return {
    title: cut(messageText.subject, titleCharacters),
    message: compose(messageText, plain, messageBytes, jsonBytes),
    priority: priorities[messageText.urgency],
    tags: tags.slice(0, maxTags).map((tag) => cut(tag, tagCharacters)),
    // Without buttons the message still says what it is about; with too much of them it would be refused.
    actions: jsonBytes(actions) <= buttonsBytes ? actions : [],
  }
}

/** As JSON, where it is never shorter than as a message. */
const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
