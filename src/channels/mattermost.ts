import { writeText } from './addresses-in-text.ts'
import { forGood, jsonOf } from './error-response.ts'
import { compose, cutEscaped } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { autolink, escapeMarkdown, markdown } from './markdown.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by an incoming webhook of Mattermost (docs.mattermost.com, «Incoming webhooks»). A post holds 16,383 characters; of a
 * longer text Mattermost makes several. Buttons would be requests by the server of Mattermost to this one; links need nothing.
 */
const postCharacters = 16_383
const subjectCharacters = 2_000

export const mattermostKind = incomingWebhook({
  kind: 'mattermost',
  label: 'Mattermost',
  about: 'A message to a channel in Mattermost; it needs the URL of an incoming webhook.',
  urlDescription: 'https://…/hooks/…, of an incoming webhook',
  write: (messageText) => JSON.stringify({ text: toPost(messageText) }),
  tokenize: (answer) => jsonOf(answer).message,
  // «Invalid webhook», with a 400 as for any bad request: there is none at this address.
  judge: (outcome, answer) =>
    jsonOf(answer).id === 'web.incoming_webhook.invalid.app_error' ? forGood(outcome) : outcome,
})

/**
 * Mattermost looks for names behind every @, also where a backslash stands before it, and an incoming webhook cannot forbid that:
 * a space of no width between the two can. The same for <: before Mattermost reads Markdown, it translates the syntax of Slack
 * (docs.mattermost.com, «Incoming webhooks», «Slack compatibility»), so that `<!channel>` and `<!here>` call everybody.
 */
const escaped = (text: string) =>
  writeText(
    text,
    (plain) => escapeMarkdown(plain).replaceAll('@', '@\u200b').replaceAll('<', '<\u200b'),
    (url) => autolink(url.replaceAll('@', '%40')),
  )

/** `<address|words>` is a link in Slack's syntax, whose words could claim any other address. Another sign takes the place of its <. */
const withoutSlackLinks = (text: string) => text.replace(/<(?=[^<|]+\|[^>]+>)/g, '‹')

function toPost(messageText: MessageText): string {
  const subject = `**${cutEscaped(messageText.subject, subjectCharacters, escaped)}**\n`
  return withoutSlackLinks(subject + compose(messageText, markdown(escaped), postCharacters - subject.length))
}
