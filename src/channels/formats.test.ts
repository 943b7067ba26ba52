import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Message } from '#core/notification.ts'
import { answers, type Request, startHttpReceiver } from '#kit/http-receiver.ts'
import { openSubject, stringsIn, subjects } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { channelDeps } from '#test/channels/peers.ts'
import { ntfyKind } from './ntfy.ts'

/** The requests to each API, which stay within its documented limits. */

const links = {
  complete: 'https://tasks.example.org/act/c.1',
  snooze: 'https://tasks.example.org/act/s.1',
  acknowledge: 'https://tasks.example.org/act/a.1?x=(1)&y=2',
}
const at = 'Tue, 1 Dec 2026, 10:00 (Europe/Paris)'
const single = messageAbout({ description: 'Two photos', tags: ['travel'], priority: 'high' }, { links })

/** The worst cases: escaped characters, quotes that JSON doubles, characters of four bytes. */
const fillings = ['<&>"\'', '*_`~|', '🎉𝒳', '"\\', '日本']
const long = fillings.map((filling) => {
  const title = filling.repeat(500 / filling.length)
  return messageAbout({ title, description: filling.repeat(65_536 / Buffer.byteLength(filling)) }, { links })
})
const groups = [...long, single].map((message): Message => {
  return { ...message, others: Array.from({ length: 49 }, () => message) }
})

/** @returns functions that send a message and return the request to the API */
async function open(t: TestContext, kind: string) {
  const subject = subjects.find((one) => one.kind === kind)
  assert.ok(subject)
  const receiver = await startHttpReceiver(t, answers(200))
  const send = await openSubject(t, subject, receiver.url)
  const request = async (message: Message) => {
    assert.equal(await send(message), 'sent')
    return receiver.requests.at(-1) as Request
  }
  const body = async (message: Message) => JSON.parse((await request(message)).body)
  /** Checks requests for messages that are too long for any medium. Every task of a group must be named or counted. */
  const within = async (check: (body: never, request: Request) => void) => {
    for (const message of [...long, ...groups]) {
      const one = await request(message)
      check(JSON.parse(one.body) as never, one)
      if (message.others.length > 0) assertComplete(subject.read(JSON.parse(one.body)))
      for (const text of stringsIn(JSON.parse(one.body))) assert.ok(text.isWellFormed(), 'half a surrogate pair')
    }
  }
  return { request, body, within }
}

/** The text names or counts all 50 tasks. */
function assertComplete(text: string) {
  const named = text.split(/ expires in 15 min: /).length - 1
  const omitted = Number(/… and (\d+) more/.exec(text)?.[1] ?? 0)
  assert.ok(named >= 1)
  assert.equal(named + omitted, 50)
}

test('ntfy: a push with action buttons, published to the root', async (t) => {
  const { request, within } = await open(t, 'ntfy')
  const { method, path, headers, body } = await request(single)
  assert.deepEqual([method, path, headers.authorization], ['POST', '/', 'Bearer tk_canary0123456789'])
  const action = { action: 'http', method: 'POST', clear: true }
  assert.deepEqual(JSON.parse(body), {
    topic: 'tasks',
    title: 'Renew passport expires in 15 min',
    message: `${at}\nTwo photos`,
    priority: 4,
    tags: ['travel'],
    actions: [
      { ...action, label: 'Done', url: links.complete },
      { ...action, label: 'Snooze 1 h', url: links.snooze },
      { ...action, label: 'Seen', url: links.acknowledge },
    ],
  })
  await within(({ message }: { message: string }, { body }) => {
    assert.ok(Buffer.byteLength(message) <= 4_096)
    assert.ok(Buffer.byteLength(body) <= 8_192)
  })
})

test('gotify: a push to /message, with the token in a header', async (t) => {
  const { request, within } = await open(t, 'gotify')
  const { method, path, headers, body } = await request(single)
  assert.deepEqual([method, path, headers['x-gotify-key']], ['POST', '/message', 'AcanaryToken0.1'])
  assert.deepEqual(JSON.parse(body), {
    title: 'Renew passport expires in 15 min',
    message: `${at}\nTwo photos\nDone: ${links.complete}\nSnooze 1 h: ${links.snooze}\nSeen: ${links.acknowledge}`,
    priority: 8,
    extras: { 'client::display': { contentType: 'text/plain' } },
  })
  await within(({ title, message }: Record<'title' | 'message', string>) => {
    assert.ok(title.length <= 250 && message.length <= 10_000)
  })
})

test('pushover: a push with one address', async (t) => {
  const { request, within } = await open(t, 'pushover')
  const { path, body } = await request(single)
  const { token, user, ...push } = JSON.parse(body)
  assert.equal(path, '/1/messages.json')
  assert.ok(token.length === 30 && user.length === 30)
  assert.deepEqual(push, {
    title: 'Renew passport expires in 15 min',
    message: `${at}\nTwo photos`,
    priority: 1,
    url: links.complete,
    url_title: 'Done',
  })
  await within(({ title, message }: Record<'title' | 'message', string>) => {
    assert.ok(title.length <= 250 && message.length <= 1_024)
  })
})

test('telegram: plain text, with buttons if their addresses are public', async (t) => {
  const { request, body, within } = await open(t, 'telegram')
  const { path, body: text } = await request(single)
  assert.equal(path, '/bot123456:canaryBotToken_01234567890/sendMessage')
  assert.deepEqual(JSON.parse(text), {
    chat_id: '-10042',
    text: `Renew passport expires in 15 min\n${at}\nTwo photos`,
    link_preview_options: { is_disabled: true },
    disable_notification: false,
    reply_markup: {
      inline_keyboard: [
        [
          { text: 'Done', url: links.complete },
          { text: 'Snooze 1 h', url: links.snooze },
          { text: 'Seen', url: links.acknowledge },
        ],
      ],
    },
  })
  for (const host of [
    'http://tasks.example.org',
    'https://192.168.1.2',
    'https://[::1]',
    'https://nas',
    'https://nas.local',
  ]) {
    const complete = `${host}/c`
    const atHome = await body(messageAbout({}, { links: { ...links, complete } }))
    assert.equal(atHome.reply_markup, undefined)
    assert.ok(atHome.text.includes(`Done: ${complete}`))
  }
  await within(({ text }: { text: string }) => assert.ok(text.length <= 4_096))
})

test('matrix: a transaction of the delivery, as text and as HTML', async (t) => {
  const { request, within } = await open(t, 'matrix')
  const { method, path, headers, body } = await request(single)
  assert.equal(method, 'PUT')
  assert.equal(path, `/_matrix/client/v3/rooms/!room%3Aexample.org/send/m.room.message/${single.deliveryId}`)
  assert.equal(headers.authorization, 'Bearer syt_canary_token')
  assert.deepEqual(JSON.parse(body), {
    msgtype: 'm.text',
    body: `Renew passport expires in 15 min\n${at}\nTwo photos`,
    format: 'org.matrix.custom.html',
    formatted_body:
      `<strong>Renew passport expires in 15 min</strong><br>${at}<br>Two photos<br>` +
      `<a href="${links.complete}">Done</a> · <a href="${links.snooze}">Snooze 1 h</a> · ` +
      `<a href="${links.acknowledge.replace('&', '&amp;')}">Seen</a>`,
    'm.mentions': {},
  })
  await within((_, { body }) => assert.ok(Buffer.byteLength(body) <= 60_000))
})

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

test('an address in a title or a description is an unchanged link in every chat', async (t) => {
  const url = 'https://example.org/Renew_the_passport?a=1'
  const message = messageAbout({ title: `Read ${url}`, description: `*First* see ${url}.` })
  const written: Record<string, string> = {
    slack: `<${url}>`,
    discord: `<${url}>`,
    mattermost: `<${url}>`,
    telegram: url,
    matrix: url,
    gotify: url,
    ntfy: url,
    pushover: url,
  }
  for (const [kind, link] of Object.entries(written)) {
    const { body } = await open(t, kind)
    const found =
      stringsIn(await body(message))
        .join('\n')
        .split(link).length - 1
    assert.ok(found >= 2, `${kind}: ${found}`)
  }
  const { body } = await open(t, 'teams')
  const runs = (await body(message)).attachments[0].content.body.flatMap(
    ({ inlines }: { inlines: object[] }) => inlines,
  )
  const links = runs.filter(({ selectAction }: { selectAction?: { url: string } }) => selectAction?.url === url)
  assert.equal(links.length, 2)
})

test('a hostile address does not break out of its link', async (t) => {
  const title = 'a https://evil.example/|<!channel>|x)](https://b.example) @channel b'
  for (const kind of ['slack', 'discord', 'mattermost']) {
    const { body } = await open(t, kind)
    for (const text of stringsIn(await body(messageAbout({ title })))) {
      if (kind !== 'discord') assert.doesNotMatch(text, /<!/, kind)
      assert.doesNotMatch(text, /<[^>]*\|[^>]*>/, kind)
    }
  }
})

test('every task of a group that fits has its actions', async (t) => {
  const group = { ...single, others: [single, messageAbout({ title: 'Call' }, { links })] }
  for (const kind of ['slack', 'discord', 'mattermost', 'matrix']) {
    const { request } = await open(t, kind)
    assert.equal((await request(group)).body.split(links.complete).length - 1, 3, kind)
  }
})

test('ntfy: an address with a topic is refused, since ntfy accepts JSON at the root only', async () => {
  for (const url of ['https://ntfy.sh/mytopic', 'https://ntfy.sh/?auth=x', 'https://ntfy.sh/#mytopic'])
    await assert.rejects(ntfyKind.open({ url, topic: 'tasks' }, channelDeps), {
      kind: 'invalid',
      message: /must be the address of the server alone; the topic belongs in the member topic/,
    })
})
