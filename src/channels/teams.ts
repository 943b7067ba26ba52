import { splitAtAddresses } from './addresses-in-text.ts'
import { jsonOf } from './error-response.ts'
import { buttonsOf, fitting, leftOut } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { cut, type Entry, type MessageText } from './message-text.ts'

/**
 * A card by a workflow of Microsoft Teams, «When a Teams webhook request is received» (learn.microsoft.com, «Create incoming
 * webhooks with Workflows»; the connectors before it are retired). Limit: 28 KB for the message that the workflow makes of it, in
 * which the card is a string of JSON, so that each quote and backslash counts twice: 23,190 bytes that were sent were 34,569 counted. The
 * workflow answers 202 before it finds out, and the message is lost. What the workflow adds is not ours to count: 2 KB are left to it.
 */
const cardBytes = 26_000
const subjectCharacters = 600

export const teamsKind = incomingWebhook({
  kind: 'teams',
  label: 'Microsoft Teams',
  about: 'A card to a channel or chat in Teams; it needs the URL of a workflow that waits for webhook requests.',
  urlDescription: 'Of a workflow that posts to a channel or chat when a webhook request is received',
  write: toEnvelope,
  // The code alone: the sentence beside it may name the workflow. 404 is no end: a workflow that is off answers so, too.
  tokenize: (answer) => (jsonOf(answer) as { error?: { code?: unknown } | null }).error?.code,
})

function toEnvelope(messageText: MessageText): string {
  const actions = buttonsOf(messageText).map(({ label, url }) => ({ type: 'Action.OpenUrl', title: label, url }))
  const isOnly = messageText.entries.length === 1
  return fitting(
    messageText.entries,
    (entries, left) => {
      const body = [
        line(cut(messageText.subject, subjectCharacters), { weight: 'Bolder', size: 'Medium' }),
        ...entries.flatMap((entry) => linesOf(entry, isOnly)),
        ...(left > 0 ? [line(leftOut(left))] : []),
      ]
      return JSON.stringify(envelope({ body, actions }))
    },
    (envelope) => Buffer.byteLength(JSON.stringify(envelope)) <= cardBytes,
  )
}

const envelope = (content: object) => ({
  type: 'message',
  attachments: [
    {
      contentType: 'application/vnd.microsoft.card.adaptive',
      contentUrl: null,
      content: {
        $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
        type: 'AdaptiveCard',
        version: '1.4',
        ...content,
      },
    },
  ],
})

function linesOf({ title, state, when, late, description }: Entry, isOnly: boolean): object[] {
  const head = isOnly ? line(when) : line(`${title} ${state}: ${when}`, { weight: 'Bolder' })
  const lines = [late, ...description.split('\n')].filter((text) => text)
  return [head, ...lines.map((text) => line(text as string))]
}

/**
 * Not a TextBlock: that reads Markdown and {{DATE(…)}}, and has no escape for them. A TextRun shows what it is given, and an address is
 * a link by its `selectAction`.
 */
const line = (text: string, style: object = {}) => ({
  type: 'RichTextBlock',
  inlines: splitAtAddresses(text).map(({ text, isAddress }) => ({
    type: 'TextRun',
    text,
    ...style,
    ...(isAddress ? { selectAction: { type: 'Action.OpenUrl', url: text } } : {}),
  })),
})
