import { splitAtAddresses } from './addresses-in-text.ts'
import { parseJsonObject } from './error-response.ts'
import { buttonsOf, fitEntries, formatOmitted } from './formatting.ts'
import { incomingWebhook } from './incoming-webhook.ts'
import { type Entry, type MessageText, truncate } from './message-text.ts'

/**
 * A card by a workflow of Microsoft Teams, «When a Teams webhook request is received» (learn.microsoft.com, «Create incoming
 * webhooks with Workflows»; the older connectors are retired). Limit: 28 KB for the message that the workflow builds. There the card is a
 * string of JSON, so that each quote and backslash counts twice: 23,190 bytes sent counted as 34,569. The workflow responds with 202 before
 * it notices, and the message is lost. 2 KB are left for the parts that the workflow adds.
 */
const cardBytes = 26_000
const subjectCharacters = 600

export const teamsKind = incomingWebhook({
  kind: 'teams',
  label: 'Microsoft Teams',
  about: 'A card to a channel or chat in Teams. Requires the URL of a workflow that receives webhook requests.',
  urlDescription: 'URL of a workflow that posts to a channel or chat when a webhook request is received',
  render: toEnvelope,
  // The code alone: the message may name the workflow. 404 is not permanent: a disabled workflow responds with it, too.
  errorText: (response) => (parseJsonObject(response) as { error?: { code?: unknown } | null }).error?.code,
})

function toEnvelope(messageText: MessageText): string {
  const actions = buttonsOf(messageText).map(({ label, url }) => ({ type: 'Action.OpenUrl', title: label, url }))
  const isOnly = messageText.entries.length === 1
  return fitEntries(
    messageText.entries,
    (entries, omitted) => {
      const body = [
        line(truncate(messageText.subject, subjectCharacters), { weight: 'Bolder', size: 'Medium' }),
        ...entries.flatMap((entry) => linesOf(entry, isOnly)),
        ...(omitted > 0 ? [line(formatOmitted(omitted))] : []),
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
 * Not a TextBlock, which parses Markdown and {{DATE(…)}} without an escape for them. A TextRun shows its text verbatim, and `selectAction`
 * makes an address a link.
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
