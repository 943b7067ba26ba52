import Type from 'typebox'
import type { ChannelKind } from './channel.ts'
import { type Letter, toLetter } from './letter.ts'
import { escapeMarkdown, markdown } from './markdown.ts'
import { openOutbound, parseTarget, toOutcome } from './outbound.ts'
import { compose, cutEscaped } from './prose.ts'
import { cleaned, forGood, jsonOf, secretsOf } from './refusal.ts'

/**
 * A message by an incoming webhook of Mattermost (docs.mattermost.com, «Incoming webhooks»). A post holds 16,383 characters; of a
 * longer text Mattermost makes several. Buttons would be requests by the server of Mattermost to this one; links need nothing.
 */
const postCharacters = 16_383
const subjectCharacters = 2_000

const options = Type.Object(
  {
    url: Type.String({
      title: 'Webhook URL',
      description: 'https://…/hooks/…, of an incoming webhook',
      maxLength: 2_000,
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
)

export const mattermostKind: ChannelKind<typeof options> = {
  kind: 'mattermost',
  label: 'Mattermost',
  about: 'A message to a channel in Mattermost; it needs the URL of an incoming webhook.',
  options,
  concurrency: 4,
  async open({ url }) {
    const target = parseTarget(url, '/url')
    const secrets = secretsOf(target)
    const outbound = openOutbound(target)
    return {
      async send(message, signal) {
        const body = JSON.stringify({ text: toPost(toLetter(message)) })
        const answer = await outbound.request({ headers: { 'content-type': 'application/json' }, body, signal })
        const { id, message: words } = jsonOf(answer)
        const outcome = toOutcome(answer, message.sentAt, cleaned(words, secrets))
        // «Invalid webhook», with a 400 as for any bad request: there is none at this address.
        return id === 'web.incoming_webhook.invalid.app_error' ? forGood(outcome) : outcome
      },
      [Symbol.asyncDispose]: () => outbound[Symbol.asyncDispose](),
    }
  },
}

/**
 * Mattermost looks for names behind every @, also where a backslash stands before it, and an incoming webhook cannot forbid that:
 * a space of no width between the two can.
 */
const escaped = (text: string) => escapeMarkdown(text).replaceAll('@', '@\u200b')

function toPost(letter: Letter): string {
  const subject = `**${cutEscaped(letter.subject, subjectCharacters, escaped)}**\n`
  return subject + compose(letter, markdown(escaped), postCharacters - subject.length)
}
