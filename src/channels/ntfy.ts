import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { parseJsonObject, safeErrorText, secretsOf } from './error-response.ts'
import { buttonsOf, formatBody, plain } from './formatting.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText, truncate } from './message-text.ts'

/**
 * A push by ntfy (docs.ntfy.sh, «Publish as JSON»), as JSON to the root of the server. ntfy also reads titles from headers, but HTTP
 * headers are ASCII. Limits («Limitations»): a message of 4,096 bytes, beyond which it becomes an attachment; the whole JSON may be twice
 * as long. Up to three buttons («Action buttons») work without leaving the notification.
 */
const standardUrl = 'https://ntfy.sh'
const messageBytes = 4_096
const titleCharacters = 250
const maxTags = 5
const tagCharacters = 40
const maxButtons = 3
/** Buttons share the other half of the JSON with the title. */
const buttonsBytes = 2_400
/** «Message priority»: 5 overrides «do not disturb», which is the user's decision. */
const priorities = { low: 2, normal: 3, high: 4 } as const

const options = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        title: 'Server',
        description: 'The address of the server',
        default: standardUrl,
        maxLength: 2_000,
        affectsSecrets: true,
      }),
    ),
    // Not `writeOnly`, though anyone who knows the topic can read it: users need to see it to subscribe.
    topic: Type.String({
      title: 'Topic',
      description: 'Anyone who knows the name can read it, unless the server protects it',
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
  about: 'A push to phones and browsers by ntfy, on its public server or your own. Requires a topic.',
  options,
  concurrency: 4,
  async open({ url = standardUrl, topic, token }, { egress }) {
    const target = parseTarget(url, '/url', egress)
    // ntfy accepts JSON at the root only (docs.ntfy.sh, «Publish as JSON»). Below a path it would publish the JSON as the text of a message
    // to the topic of that name, and respond with 200.
    if (target.url.pathname !== '/' || target.url.search !== '' || target.url.hash !== '')
      throw invalidMember('/url', 'must be the address of the server alone; the topic belongs in the member topic')
    const secrets = secretsOf(target.url, token ? [token] : [])
    const client = openHttpClient(target)
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }
    return {
      async send(message, signal) {
        const body = JSON.stringify({ topic, ...toPush(toMessageText(message)) })
        const response = await client.request({ headers, body, signal })
        return toOutcome(response, message.sentAt, safeErrorText(parseJsonObject(response).error, secrets))
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}

function toPush(messageText: MessageText): object {
  const tags = messageText.entries.length === 1 ? messageText.entries[0].tags : []
  const actions = buttonsOf(messageText)
    .slice(0, maxButtons)
    .map(({ label, url }) => ({ action: 'http', label, url, method: 'POST', clear: true }))
  return {
    title: truncate(messageText.subject, titleCharacters),
    message: formatBody(messageText, plain, messageBytes, jsonBytes),
    priority: priorities[messageText.urgency],
    tags: tags.slice(0, maxTags).map((tag) => truncate(tag, tagCharacters)),
    // Without its buttons the message is still useful; with too many bytes ntfy would reject it.
    actions: jsonBytes(actions) <= buttonsBytes ? actions : [],
  }
}

/** The size as JSON, which is never smaller than the size as a message. */
const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
