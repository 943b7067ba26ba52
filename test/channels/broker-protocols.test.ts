import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { amqpKind } from '#channels/amqp.ts'
import { natsKind } from '#channels/nats.ts'
import { redisKind } from '#channels/redis.ts'
import type { Message } from '#core/notification.ts'
import { amqpPlace, assertAllSent, freshName, messages, natsPlace } from './broker-places.ts'
import { brokers, channelDeps, send, skipReasonOfBroker } from './peers.ts'

/** The features of single brokers. */

test('amqp: an unroutable message is not sent, and neither is a rejected one', {
  skip: await skipReasonOfBroker('amqp'),
}, async () => {
  const at = (url: string, more: object) => amqpKind.open({ url, routing_key: freshName(), ...more }, channelDeps)
  const [message] = messages(1) as [Message]
  for (const [url, more, outcome] of [
    [brokers.amqp, {}, { retry: true, reason: 'no queue is bound for it: unroutable' }],
    [brokers.amqp, { exchange: freshName() }, { retry: true, reason: '404 NOT_FOUND: there is no such exchange' }],
    [`${brokers.amqp}/${freshName()}`, {}, { retry: true, reason: 'the broker refused to open this vhost' }],
    [
      'amqp://guest:canary@127.0.0.1',
      {},
      { retry: false, reason: '403 ACCESS_REFUSED: the user, the password or the right to do this was refused' },
    ],
  ] as const) {
    await using channel = await at(url, more)
    assert.deepEqual(await send(channel, message), outcome)
  }
})

test('amqp: returned messages may be as long as the sent ones, many at once', {
  skip: await skipReasonOfBroker('amqp'),
}, async () => {
  await using channel = await amqpKind.open({ url: brokers.amqp, routing_key: freshName() }, channelDeps)
  const description = 'é'.repeat(30_000)
  const long = messages(32).map((message) => ({ ...message, task: { ...message.task, description } }))
  const outcomes = await Promise.all(long.map((message) => send(channel, message)))
  for (const outcome of outcomes)
    assert.deepEqual(outcome, { retry: true, reason: 'no queue is bound for it: unroutable' })
})

test('amqp: a message is persistent and has its properties', { skip: await skipReasonOfBroker('amqp') }, async () => {
  await using place = await amqpPlace(brokers.amqp)
  await using channel = await place.open(brokers.amqp)
  await assertAllSent(channel, messages(1))
  const [arrival] = await place.read(1)
  assert.deepEqual(arrival?.fields, { deliveryMode: 2, contentType: 'application/cloudevents+json' })
})

test('nats: duplicates are removed, and a message without a stream is not sent', {
  skip: await skipReasonOfBroker('nats'),
}, async () => {
  await using place = await natsPlace(brokers.nats)
  const [message] = messages(1) as [Message]
  for (const _ of [1, 2]) {
    await using channel = await place.open(brokers.nats)
    assert.equal(await send(channel, message), 'sent')
  }
  assert.equal((await place.read(1)).length, 1)
  await using astray = await natsKind.open({ url: brokers.nats, subject: `${freshName()}.x` }, channelDeps)
  assert.deepEqual(await send(astray, message), { retry: true, reason: 'no stream takes this subject' })
})

test('redis: the stream keeps about the maximum length; a key of another type is the reason', {
  skip: await skipReasonOfBroker('redis'),
}, async (t) => {
  const stream = freshName()
  const reader = new Redis(brokers.redis)
  t.after(async () => {
    await reader.del(stream)
    reader.disconnect()
  })
  await using channel = await redisKind.open({ url: brokers.redis, stream, max_length: 10 }, channelDeps)
  await assertAllSent(channel, messages(500))
  assert.ok((await reader.xlen(stream)) < 250)
  await reader.del(stream)
  await reader.set(stream, 'text')
  assert.deepEqual(await send(channel, messages(1)[0] as Message), { retry: true, reason: 'answered WRONGTYPE' })
})
