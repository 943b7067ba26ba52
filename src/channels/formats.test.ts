import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, links, open, single } from '#test/channels/formats.ts'
import { stringsIn } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { channelDeps } from '#test/channels/peers.ts'
import { ntfyKind } from './ntfy.ts'

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
