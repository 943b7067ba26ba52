import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import {
  asPermanent,
  asRateLimited,
  parseJsonObject,
  safeErrorText,
  secretsOf,
  withRetryAfter,
} from './error-response.ts'
import { formatBody, type Markup, plain, truncateEscaped } from './formatting.ts'
import { escapeHtml } from './html.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText } from './message-text.ts'

/**
 * A message to a room of Matrix (spec.matrix.org, Client-Server API, «PUT /rooms/{roomId}/send/{eventType}/{txnId}»). The
 * transaction id is the delivery's id, so that a second attempt never adds a second message. An event may have 65,536 bytes («Size
 * limits»), including what servers add. It contains the text twice, so each copy gets less than half.
 */
const textBytes = 25_000
const subjectCharacters = 2_000

const options = Type.Object(
  {
    url: Type.String({
      title: 'Homeserver',
      description: 'The address for clients: https://matrix.example.org',
      maxLength: 2_000,
      affectsSecrets: true,
    }),
    room_id: Type.String({
      title: 'Room',
      description: 'The id of the room, which begins with !, from its settings; not its #alias',
      pattern: '^![!-~]{1,254}$',
      affectsSecrets: false,
    }),
    access_token: Type.String({
      title: 'Access token',
      description: 'Token of a user in the room, preferably a dedicated one',
      pattern: '^[!-~]{1,1000}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const matrixKind: ChannelKind<typeof options> = {
  kind: 'matrix',
  label: 'Matrix',
  about: 'An unencrypted message to a room in Matrix. Requires the access token of a user in the room.',
  options,
  concurrency: 4,
  async open({ url, room_id, access_token }, { egress }) {
    const target = parseTarget(url, '/url', egress)
    const secrets = secretsOf(target.url, [access_token])
    const client = openHttpClient(target)
    const room = `/_matrix/client/v3/rooms/${encodeURIComponent(room_id)}/send/m.room.message/`
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${access_token}` }
    return {
      async send(message, signal) {
        const path = room + encodeURIComponent(message.deliveryId)
        const body = JSON.stringify(toEvent(toMessageText(message)))
        const response = await client.request({ method: 'PUT', path, headers, body, signal })
        const { errcode, error, retry_after_ms } = parseJsonObject(response)
        const errorText = safeErrorText([errcode, error].filter((part) => typeof part === 'string').join(' '), secrets)
        const outcome = toOutcome(response, message.sentAt, errorText)
        // «Standard error response»: the token is no longer valid, whatever the status.
        if (errcode === 'M_UNKNOWN_TOKEN') return asPermanent(outcome)
        return errcode === 'M_LIMIT_EXCEEDED' ? asRateLimited(withRetryAfter(outcome, retry_after_ms)) : outcome
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    }
  },
}

/** `m.text`, since clients do not alert for `m.notice`. `m.mentions` is empty, so that @room in a title mentions no one. */
function toEvent(messageText: MessageText): object {
  return {
    msgtype: 'm.text',
    body: `${messageText.subject}\n${formatBody(messageText, plain, textBytes, jsonBytes)}`,
    format: 'org.matrix.custom.html',
    formatted_body: [
      `<strong>${truncateEscaped(messageText.subject, subjectCharacters, escapeHtml)}</strong>`,
      formatBody(messageText, html, textBytes, jsonBytes).replaceAll('\n', '<br>'),
    ].join('<br>'),
    'm.mentions': {},
  }
}

const html: Markup = {
  text: escapeHtml,
  bold: (plain) => `<strong>${escapeHtml(plain)}</strong>`,
  links: (actions) =>
    actions.map(({ label, url }) => `<a href="${escapeHtml(url)}">${escapeHtml(label)}</a>`).join(' · '),
}

/** Counts a line feed as the tag of four characters that replaces it. */
const jsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text.replaceAll('\n', '<br>')))
