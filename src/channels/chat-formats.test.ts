import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, links, open, single } from '#test/channels/formats.ts'
import { messageAbout } from '#test/channels/messages.ts'

/** What messages look like in chats: Slack, Discord, Mattermost, Teams. */

test('slack: sections, and buttons with links', async (t) => {
  const { body, within } = await open(t, 'slack')
  const button = (text: string, url: string) => ({ type: 'button', text: { type: 'plain_text', text }, url })
  const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } })
  assert.deepEqual(await body(single), {
    text: 'Renew passport expires in 15 min',
    blocks: [
      section('*Renew passport expires in 15 min*'),
      section(`${at}\nTwo photos`),
      {
        type: 'actions',
        elements: [
          button('Done', links.complete),
          button('Snooze 1 h', links.snooze),
          button('Seen', links.acknowledge),
        ],
      },
    ],
  })
  const { text } = await body(messageAbout({ title: 'a <!channel> & b' }))
  assert.equal(text, 'a &lt;!channel&gt; &amp; b expires in 15 min')
  await within(({ text, blocks }: { text: string; blocks: { text?: { text: string } }[] }) => {
    assert.ok(text.length <= 3_000)
    for (const block of blocks) assert.ok((block.text?.text.length ?? 0) <= 3_000)
  })
})

test('discord: a content, and an embed without mentions', async (t) => {
  const { request, body, within } = await open(t, 'discord')
  assert.match((await request(single)).path, /\?wait=true$/)
  assert.deepEqual(await body(single), {
    content: 'Renew passport expires in 15 min',
    embeds: [
      {
        description:
          `${at}\nTwo photos\n[Done](${links.complete}) · [Snooze 1 h](${links.snooze}) · ` +
          '[Seen](https://tasks.example.org/act/a.1?x=%281%29&y=2)',
        color: 0xe74c3c,
      },
    ],
    allowed_mentions: { parse: [] },
  })
  const { embeds } = await body(messageAbout({ description: '# a\n- b\n1. c\n<@1> *d*' }))
  assert.equal(embeds[0].description, `${at}\n\\# a\n\\- b\n1\\. c\n\\<@1> \\*d\\*`)
  await within(({ content, embeds }: { content: string; embeds: { description: string }[] }) => {
    assert.ok(content.length <= 2_000)
    for (const { description } of embeds) assert.ok(description.length <= 4_096)
  })
})

test('mattermost: one post in Markdown', async (t) => {
  const { body, within } = await open(t, 'mattermost')
  assert.deepEqual(await body(single), {
    text:
      `**Renew passport expires in 15 min**\n${at}\nTwo photos\n[Done](${links.complete}) · ` +
      `[Snooze 1 h](${links.snooze}) · [Seen](https://tasks.example.org/act/a.1?x=%281%29&y=2)`,
  })
  await within(({ text }: { text: string }) => assert.ok(text.length <= 16_383))
})

test('teams: a card with verbatim text', async (t) => {
  const { body, within } = await open(t, 'teams')
  const line = (text: string, style: object = {}) => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text, ...style }],
  })
  const { type, attachments } = await body(single)
  assert.deepEqual([type, attachments.length], ['message', 1])
  assert.equal(attachments[0].contentType, 'application/vnd.microsoft.card.adaptive')
  const { body: lines, actions, type: content } = attachments[0].content
  assert.equal(content, 'AdaptiveCard')
  assert.deepEqual(lines, [
    line('Renew passport expires in 15 min', { weight: 'Bolder', size: 'Medium' }),
    line(at),
    line('Two photos'),
  ])
  assert.deepEqual(actions, [
    { type: 'Action.OpenUrl', title: 'Done', url: links.complete },
    { type: 'Action.OpenUrl', title: 'Snooze 1 h', url: links.snooze },
    { type: 'Action.OpenUrl', title: 'Seen', url: links.acknowledge },
  ])
  // The card counts as a string of JSON in the workflow's message: 28 KB including the parts that the workflow adds.
  await within((_, { body }) => assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 28 * 1024 - 2_000))
})

test('mattermost: the syntax of Slack, which it translates in webhooks, mentions no one and hides no address', async (t) => {
  const { body } = await open(t, 'mattermost')
  for (const title of [
    '<!channel>',
    '<!here>',
    '<!all>',
    '<!everyone>',
    '<!subteam^S1>',
    '<@U1>',
    '@channel',
    'a <!here|b> c',
  ]) {
    const { text } = await body(messageAbout({ title, description: title }))
    assert.doesNotMatch(text, /<[!@]|@[a-z]/i, title)
  }
  const { text } = await body(messageAbout({ title: 'x <https://evil.example|My bank> y' }))
  assert.doesNotMatch(text, /<[^<|]+\|[^>]+>/, 'the expression by which Mattermost finds a link of Slack')
})
