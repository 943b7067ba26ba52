import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from '#client/client.ts'
import { eventually } from '#kit/eventually.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { spawnServer } from '#kit/server-process.ts'
import { startReceiver } from '#kit/webhook-receiver.ts'
import { temporaryFolder } from '#support/databases.ts'
import { httpFloods, peerFloods, startFlooder } from '#test/channels/floods.ts'
import { peerSubjects } from '#test/channels/peer-subjects.ts'

/** The real server among receivers that send endlessly, each in its own way. */
test('receivers that send endlessly prevent neither deliveries to a healthy one nor the stop of the server', async (t) => {
  const healthy = await startReceiver(t)
  const max = Number.POSITIVE_INFINITY
  const hostile = await Promise.all(
    [...peerFloods, ...httpFloods.map((one) => ({ kind: 'webhook', ...one }))].map(async (one) => {
      const { port, floods } = await startFlooder(t, one, { max })
      const subject = peerSubjects.find(({ kind }) => kind.kind === one.kind)
      const options = subject
        ? { ...subject.at('127.0.0.1', port), ...one.options }
        : { url: `http://127.0.0.1:${port}/`, secret: healthy.secret }
      return { channel: { name: `${one.kind}: ${one.what}`, kind: one.kind, options }, floods }
    }),
  )
  const { url, secret } = healthy
  const folder = temporaryFolder(t)
  const config = join(folder, 'config.json')
  const channels = [
    { name: 'healthy', kind: 'webhook', options: { url, secret } },
    ...hostile.map((one) => one.channel),
  ]
  writeFileSync(config, JSON.stringify({ channels }))
  const authority = join(folder, 'authority.pem')
  writeFileSync(authority, selfSigned.cert)
  const flags = ['--config', config, '--database-url', `sqlite:${folder}/duebell.db`]
  const server = spawnServer(t, flags, { NODE_EXTRA_CA_CERTS: authority })
  const client = createClient(await server.ready, { tries: 1 })

  const due = () => client.createTask({ title: 'Due', expiry_dt: new Date(Date.now() + 60_000).toISOString() })
  const { id } = await due()
  await eventually('the healthy one has it', () => healthy.receipts.length === 1)
  const errors = async () => {
    const { notifications } = await client.listTaskNotifications(id)
    return notifications.flatMap(({ deliveries }) => deliveries.flatMap(({ error }) => error ?? []))
  }
  await eventually('all others have failed', async () => (await errors()).length === hostile.length)
  const reason = 'the other side kept sending data that is no response, so the connection was closed'
  assert.deepEqual([...new Set(await errors())], [reason])

  const before = hostile.map(({ floods }) => floods())
  for (let i = 0; i < 5; i++) await due()
  await eventually('all flood again', () => hostile.every(({ floods }, i) => floods() > (before[i] ?? 0)))
  server.child.kill('SIGTERM')
  assert.deepEqual(await server.ended, { code: 0, signal: null }, server.output.stderr)
})
