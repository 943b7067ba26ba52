import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '#core/notification.ts'
import { wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** Creates a fired task, and returns the links in its message, with the address of this server. */
async function firing(t: Parameters<typeof startTestApp>[0]) {
  const app = await startTestApp(t, { flags: ['--public-url=https://tasks.example.org/'] })
  const { id } = await app.client.createTask({ title: 'Renew <b>passport</b>', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.app.idle()
  const { links } = app.recorder.messages[0] as Message
  assert.ok(links)
  const path = (link: string) => link.replace(/^https:\/\/tasks\.example\.org/, '')
  return {
    ...app,
    id,
    wire: wireTo(app.url),
    complete: path(links.complete),
    snooze: path(links.snooze),
    seen: path(links.acknowledge),
  }
}

test('a GET shows one button and does nothing; only a POST acts, and a repeated POST has no further effect', async (t) => {
  const { client, id, wire, complete } = await firing(t)
  assert.match(complete, /^\/a\/[\w.-]+$/)
  for (let i = 0; i < 2; i++) {
    const { status, text, headers } = await wire('GET', complete)
    assert.equal(status, 200)
    assert.equal(text.match(/<button>/g)?.length, 1)
    assert.match(text, /Renew &#60;b&#62;passport/)
    assert.match(headers.get('content-security-policy') ?? '', /form-action 'self'/)
    assert.equal(headers.get('cache-control'), 'no-store')
  }
  assert.equal((await client.getTask(id)).completed_dt, null)
  const form = { body: '', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  for (let i = 0; i < 2; i++) assert.match((await wire('POST', complete, form)).text, /The task is completed\./)
  assert.notEqual((await client.getTask(id)).completed_dt, null)
  assert.notEqual((await client.listNotifications()).notifications[0]?.acknowledged_dt, null, 'who acts has seen it')
})

test('the links to snooze and acknowledge work, for programs too', async (t) => {
  const { client, id, wire, snooze, seen } = await firing(t)
  assert.equal((await wire('POST', seen)).status, 200)
  assert.notEqual((await client.listNotifications()).notifications[0]?.acknowledged_dt, null)
  assert.equal((await client.getTask(id)).snoozed_until_dt, null)
  assert.equal((await wire('POST', snooze)).status, 200)
  assert.equal((await client.getTask(id)).snoozed_until_dt, '2026-12-01T10:00:00.000Z')
})

test('a link acts on one task only: a link with any changed character is refused', async (t) => {
  const { client, id, wire, complete, seen } = await firing(t)
  const forged = [
    complete.replace('complete', 'snooze'),
    seen.replace('acknowledge', 'complete'),
    complete.replace(/\.1\./, '.2.'),
    `${complete.slice(0, -1)}${complete.endsWith('A') ? 'B' : 'A'}x`,
    complete.slice(0, -4),
    '/a/complete.1.1.1.9999999999.AAAAAAAAAAAAAAAAAAAAAA',
    '/a/x',
    '/a/%00',
  ]
  for (const path of forged) {
    assert.equal((await wire('POST', path)).status, 404, path)
    assert.equal((await wire('GET', path)).status, 404, path)
  }
  assert.equal((await client.getTask(id)).completed_dt, null)
})

test('a link is valid for a month, across restarts, and then says that it expired; for a deleted task it says nothing', async (t) => {
  const app = await startTestApp(t, { flags: ['--public-url=https://tasks.example.org/'] })
  const { id } = await app.client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.app.idle()
  const complete = new URL(app.recorder.messages[0]?.links?.complete ?? '').pathname
  await app.restart()
  const status = async () => (await wireTo(app.url)('GET', complete)).status
  assert.equal(await status(), 200)
  await app.client.deleteTask(id)
  assert.equal(await status(), 404)
  await app.clock.advance(30 * 86_400_000 + 1_000)
  assert.equal(await status(), 410)
})

test('without a public URL the server puts no links into messages', async (t) => {
  const { client, app, recorder } = await startTestApp(t)
  await client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.idle()
  assert.equal(recorder.messages[0]?.links, null)
})
