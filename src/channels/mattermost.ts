import { renderText } from './addresses-in-text.ts'
import { asPermanent, parseJsonObject } from './error-response.ts'
import { formatBody, truncateEscaped } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { autolink, escapeMarkdown, markdown } from './markdown.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by an incoming webhook of Mattermost (docs.mattermost.com, «Incoming webhooks»). A post holds 16,383 characters; Mattermost
 * splits longer texts. Buttons would make Mattermost's server call this one, so actions are links.
 */
const postCharacters = 16_383
const subjectCharacters = 2_000

export const mattermostKind = incomingWebhook({
  kind: 'mattermost',
  label: 'Mattermost',
  about: 'A message to a channel in Mattermost. Requires the URL of an incoming webhook.',
  urlDescription: 'https://…/hooks/…, from an incoming webhook',
  render: (messageText) => JSON.stringify({ text: toPost(messageText) }),
  errorText: (response) => parseJsonObject(response).message,
  // «Invalid webhook»: none exists at this address. Its status is 400, as for any bad request.
  classify: (outcome, response) =>
    parseJsonObject(response).id === 'web.incoming_webhook.invalid.app_error' ? asPermanent(outcome) : outcome,
})

/**
 * Mattermost finds mentions after every @, even after a backslash, and an incoming webhook cannot disable that. A zero-width space after
 * the @ does. The same applies to <: before it parses Markdown, Mattermost translates Slack's syntax (docs.mattermost.com, «Incoming
 * webhooks», «Slack compatibility»), where `<!channel>` and `<!here>` notify everyone.
 */
const escaped = (text: string) =>
  renderText(
    text,
    (plain) => escapeMarkdown(plain).replaceAll('@', '@\u200b').replaceAll('<', '<\u200b'),
    (url) => autolink(url.replaceAll('@', '%40')),
  )

/** `<address|label>` is a link in Slack's syntax, whose label could claim any other address. Its < is replaced by a look-alike. */
const withoutSlackLinks = (text: string) => text.replace(/<(?=[^<|]+\|[^>]+>)/g, '‹')

function toPost(messageText: MessageText): string {
  const subject = `**${truncateEscaped(messageText.subject, subjectCharacters, escaped)}**\n`
  return withoutSlackLinks(subject + formatBody(messageText, markdown(escaped), postCharacters - subject.length))
}
