import { writeText } from './addresses-in-text.ts'
import { forGood } from './error-response.ts'
import { buttonsOf, compose, cutEscaped, type Markup } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import type { MessageText } from './message-text.ts'

/**
 * A message by an incoming webhook of Slack (docs.slack.dev, «Sending messages using incoming webhooks»). Limits («Section block»,
 * «Button element»): 3,000 characters of text, 3,000 of a button's address. `text` is what a notification shows. 404 and 410 say
 * that the webhook or its channel is no more («Handling errors»).
 */
const sectionCharacters = 3_000
const urlCharacters = 3_000
/** A section has room for it and a line of stars around it. */
const subjectCharacters = 2_000

export const slackKind = incomingWebhook({
  kind: 'slack',
  label: 'Slack',
  about: 'A message to a channel in Slack; it needs the URL of an incoming webhook.',
  urlDescription: 'https://hooks.slack.com/services/…, of an app that has incoming webhooks',
  write: (messageText) => JSON.stringify(toBlocks(messageText)),
  // Its errors are names: `no_service`. Whatever is none is not repeated: a proxy's page, say.
  tokenize: (answer) => /^[a-z]+(_[a-z]+){1,5}$/.exec(answer.text().trim())?.[0],
  judge: (outcome, { status }) => (status === 404 || status === 410 ? forGood(outcome, { isGone: true }) : outcome),
})

function toBlocks(messageText: MessageText): object {
  const buttons = buttonsOf(messageText).filter(({ url }) => url.length <= urlCharacters)
  const subject = cutEscaped(messageText.subject, subjectCharacters, written)
  const text = compose(messageText, buttons.length > 0 ? mrkdwn : mrkdwnWithLinks, sectionCharacters)
  const elements = buttons.map(({ label, url }) => ({ type: 'button', text: { type: 'plain_text', text: label }, url }))
  return {
    text: cutEscaped(messageText.subject, subjectCharacters, escaped),
    blocks: [section(`*${subject}*`), section(text), ...(elements.length > 0 ? [{ type: 'actions', elements }] : [])],
  }
}

/** `verbatim`: names are no links and mentions none («Text object»), nor are addresses: `written` makes those links. */
const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } })

/**
 * «Escaping text»: these three are all there are, and without < nothing is a mention. A star stays a star, or makes bold: a space of
 * no width beside it would stop that, and come along with whatever is copied.
 */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** «Linking to URLs»: an address between < and > is a link; a bar would begin its words. */
const link = (url: string) => `<${escaped(url).replaceAll('|', '%7C')}>`
const written = (text: string) => writeText(text, escaped, link)

const mrkdwn: Markup = {
  text: written,
  bold: (plain) => `*${written(plain)}*`,
}

const mrkdwnWithLinks: Markup = {
  ...mrkdwn,
  links: (actions) =>
    actions.map(({ label, url }) => `<${escaped(url).replaceAll('|', '%7C')}|${escaped(label)}>`).join(' · '),
}
