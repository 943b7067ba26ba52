import { renderText } from './addresses-in-text.ts'
import { asPermanent } from './error-response.ts'
import { buttonsOf, formatBody, type Markup, truncateEscaped } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by an incoming webhook of Slack (docs.slack.dev, «Sending messages using incoming webhooks»). Limits («Section block»,
 * «Button element»): 3,000 characters of text, 3,000 of a button's address. Notifications show `text`. 404 and 410 mean that the webhook
 * or its channel no longer exists («Handling errors»).
 */
const sectionCharacters = 3_000
const urlCharacters = 3_000
/** Leaves room in a section for the asterisks around it. */
const subjectCharacters = 2_000

export const slackKind = incomingWebhook({
  kind: 'slack',
  label: 'Slack',
  about: 'A message to a channel in Slack. Requires the URL of an incoming webhook.',
  urlDescription: 'https://hooks.slack.com/services/…, from an app with incoming webhooks',
  render: (messageText) => JSON.stringify(toBlocks(messageText)),
  // Slack's errors are names: `no_service`. Any other text, such as the page of a proxy, is not repeated.
  errorText: (response) => /^[a-z]+(_[a-z]+){1,5}$/.exec(response.text().trim())?.[0],
  classify: (outcome, { status }) =>
    status === 404 || status === 410 ? asPermanent(outcome, { isGone: true }) : outcome,
})

function toBlocks(messageText: MessageText): object {
  const buttons = buttonsOf(messageText).filter(({ url }) => url.length <= urlCharacters)
  const subject = truncateEscaped(messageText.subject, subjectCharacters, mrkdwnText)
  const text = formatBody(messageText, buttons.length > 0 ? mrkdwn : mrkdwnWithLinks, sectionCharacters)
  const elements = buttons.map(({ label, url }) => ({ type: 'button', text: { type: 'plain_text', text: label }, url }))
  return {
    text: truncateEscaped(messageText.subject, subjectCharacters, escaped),
    blocks: [section(`*${subject}*`), section(text), ...(elements.length > 0 ? [{ type: 'actions', elements }] : [])],
  }
}

/** `verbatim` disables mentions and links by name or address («Text object»); `mrkdwnText` makes links of addresses. */
const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } })

/**
 * «Escaping text»: there are only these three, and without < nothing is a mention. An asterisk may make text bold: a zero-width space
 * beside it would prevent that, but would be copied along with the text.
 */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** «Linking to URLs»: an address between < and > is a link. A bar would start its label. */
const link = (url: string) => `<${escaped(url).replaceAll('|', '%7C')}>`
const mrkdwnText = (text: string) => renderText(text, escaped, link)

const mrkdwn: Markup = {
  text: mrkdwnText,
  bold: (plain) => `*${mrkdwnText(plain)}*`,
}

const mrkdwnWithLinks: Markup = {
  ...mrkdwn,
  links: (actions) =>
    actions.map(({ label, url }) => `<${escaped(url).replaceAll('|', '%7C')}|${escaped(label)}>`).join(' · '),
}
