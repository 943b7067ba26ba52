import { writeText } from './addresses-in-text.ts'
import { forGood, jsonOf, notBefore } from './error-response.ts'
import { compose, cutEscaped } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { autolink, escapeMarkdown, markdown } from './markdown.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by a webhook of Discord (docs.discord.com, «Execute Webhook»). Limits: a content of 2,000 characters; of an embed
 * («Embed Limits») a description of 4,096 and a title of 256, which is why the subject is the content, also for the sake of phones:
 * they show no more of it. Buttons are for webhooks of applications; these links are words in the text.
 */
const contentCharacters = 2_000
const descriptionCharacters = 4_096
const colours = { low: 0x95a5a6, normal: 0x3498db, high: 0xe74c3c } as const

export const discordKind = incomingWebhook({
  kind: 'discord',
  label: 'Discord',
  about: 'A message to a channel in Discord; it needs the URL of a webhook.',
  urlDescription: 'https://discord.com/api/webhooks/…, from the settings of a channel',
  // Without it Discord says yes before it has kept the message, and nothing when it cannot.
  prepare: ({ searchParams }) => searchParams.set('wait', 'true'),
  write: (messageText) => JSON.stringify(toEmbed(messageText)),
  tokenize: (answer) => jsonOf(answer).message,
  judge(outcome, answer) {
    // «Unknown Webhook»: somebody deleted it.
    if (answer.status === 404) return forGood(outcome, { isGone: true })
    // «Rate limits»: in seconds and parts of them, more exact than the header.
    const { retry_after: seconds } = jsonOf(answer)
    if (typeof seconds === 'number') return notBefore(outcome, seconds * 1_000)
    if (answer.status !== 429 || answer.headers['retry-after'] !== undefined) return outcome
    // «Header Examples»: the only time in an answer without a body.
    return notBefore(outcome, Number(answer.headers['x-ratelimit-reset-after']) * 1_000)
  },
})

/** < begins mentions, emojis and times. */
const escaped = (text: string) => writeText(text, (plain) => escapeMarkdown(plain).replaceAll('<', '\\<'), autolink)

function toEmbed(messageText: MessageText): object {
  return {
    content: cutEscaped(messageText.subject, contentCharacters, escaped),
    embeds: [
      {
        description: compose(messageText, markdown(escaped), descriptionCharacters),
        color: colours[messageText.urgency],
      },
    ],
    // «Allowed Mentions»: whatever a title says, nobody is called.
    allowed_mentions: { parse: [] },
  }
}
