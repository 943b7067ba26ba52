import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { cleaned, forGood, jsonOf, notBefore, rateLimited, secretsOf } from './error-response.ts'
import { compose, cutEscaped, type Markup, plain } from './formatting.ts'
import { escapeHtml } from './html.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'
import { type MessageText, toMessageText } from './message-text.ts'

/**
 * A message to a room of Matrix (spec.matrix.org, Client-Server API, «PUT /rooms/{roomId}/send/{eventType}/{txnId}»). The
 * transaction is the delivery: a second attempt is the same message, never another. An event may have 65,536 bytes («Size limits»),
 * with all that servers add to it; the text is in it twice, so each has less than half.
 */
const textBytes = 25_000
const subjectCharacters = 2_000

const options = Type.Object(
  {
    url: Type.String({
      title: 'Homeserver',
      description: 'Its address for clients: https://matrix.example.org',
      maxLength: 2_000,
      affectsSecrets: true,
    }),
    room_id: Type.String({
      title: 'Room',
      description: 'Its id, which begins with !, from the settings of the room; not its #alias',
      pattern: '^![!-~]{1,254}$',
      affectsSecrets: false,
    }),
    access_token: Type.String({
      title: 'Access token',
      description: 'Of a user who is in the room; best one that is there for nothing else',
      pattern: '^[!-~]{1,1000}$',
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const matrixKind: ChannelKind<typeof options> = {
  kind: 'matrix',
  label: 'Matrix',
  about: 'A message to a room in Matrix, not encrypted; it needs the access token of a user who is in it.',
  options,
  concurrency: 4,
  async open({ url, room_id, access_token }, { reach }) {
    const target = parseTarget(url, '/url', reach)
    const secrets = secretsOf(target.url, [access_token])
    const outbound = openHttpClient(target)
    const room = `/_matrix/client/v3/rooms/${encodeURIComponent(room_id)}/send/m.room.message/`
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${access_token}` }
    return {
      async send(message, signal) {
        const path = room + encodeURIComponent(message.deliveryId)
        const body = JSON.stringify(toEvent(toMessageText(message)))
        const answer = await outbound.request({ method: 'PUT', path, headers, body, signal })
        const { errcode, error, retry_after_ms } = jsonOf(answer)
        const words = cleaned([errcode, error].filter((word) => typeof word === 'string').join(' '), secrets)
        const outcome = toOutcome(answer, message.sentAt, words)
        // «Standard error response»: the token is none any more, whatever the status beside it.
        if (errcode === 'M_UNKNOWN_TOKEN') return forGood(outcome)
        return errcode === 'M_LIMIT_EXCEEDED' ? rateLimited(notBefore(outcome, retry_after_ms)) : outcome
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

/** `m.text`, not `m.notice`: of notifications clients tell nobody. `m.mentions` is empty, so that no @room in a title calls one. */
function toEvent(messageText: MessageText): object {
  return {
    msgtype: 'm.text',
    body: `${messageText.subject}\n${compose(messageText, plain, textBytes, jsonBytes)}`,
    format: 'org.matrix.custom.html',
    formatted_body: [
      `<strong>${cutEscaped(messageText.subject, subjectCharacters, escapeHtml)}</strong>`,
      compose(messageText, html, textBytes, jsonBytes).replaceAll('\n', '<br>'),
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

/** A line feed becomes a tag of four characters. */
const jsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text.replaceAll('\n', '<br>')))
