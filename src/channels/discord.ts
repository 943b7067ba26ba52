import { renderText } from './addresses-in-text.ts'
import { asPermanent, parseJsonObject, withRetryAfter } from './error-response.ts'
import { formatBody, truncateEscaped } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { autolink, escapeMarkdown, markdown } from './markdown.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by a webhook of Discord (docs.discord.com, «Execute Webhook»). Limits: a content of 2,000 characters; of an embed
 * («Embed Limits») a description of 4,096 and a title of 256. So the subject is the content, which is also all that phones show. Buttons
 * are for webhooks of applications only, so actions are links in the text.
 */
const contentCharacters = 2_000
const descriptionCharacters = 4_096
const colours = { low: 0x95a5a6, normal: 0x3498db, high: 0xe74c3c } as const

export const discordKind = incomingWebhook({
  kind: 'discord',
  label: 'Discord',
  about: 'A message to a channel in Discord. Requires the URL of a webhook.',
  urlDescription: 'https://discord.com/api/webhooks/…, from the settings of a channel',
  // Without it Discord responds before it has stored the message, and never reports a failure.
  prepare: ({ searchParams }) => searchParams.set('wait', 'true'),
  render: (messageText) => JSON.stringify(toEmbed(messageText)),
  errorText: (response) => parseJsonObject(response).message,
  classify(outcome, response) {
    // «Unknown Webhook»: it was deleted.
    if (response.status === 404) return asPermanent(outcome, { isGone: true })
    // «Rate limits»: fractional seconds, more exact than the header.
    const { retry_after: seconds } = parseJsonObject(response)
    if (typeof seconds === 'number') return withRetryAfter(outcome, seconds * 1_000)
    if (response.status !== 429 || response.headers['retry-after'] !== undefined) return outcome
    // «Header Examples»: the only wait in a response without a body.
    return withRetryAfter(outcome, Number(response.headers['x-ratelimit-reset-after']) * 1_000)
  },
})

/** < starts mentions, emojis and timestamps. */
const escaped = (text: string) => renderText(text, (plain) => escapeMarkdown(plain).replaceAll('<', '\\<'), autolink)

function toEmbed(messageText: MessageText): object {
  return {
    content: truncateEscaped(messageText.subject, contentCharacters, escaped),
    embeds: [
      {
        description: formatBody(messageText, markdown(escaped), descriptionCharacters),
        color: colours[messageText.urgency],
      },
    ],
    // «Allowed Mentions»: a title mentions no one.
    allowed_mentions: { parse: [] },
  }
}
