import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { defaultChannelSettings } from '#channels/settings.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import * as claims from '#store/claims.ts'
import { recordChannels } from '#store/declared-channels.ts'
import * as deliveries from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { nextDue } from '#store/next-due.ts'
import { testDatabase } from '#support/databases.ts'
import { fire, hourMs, me, notification, now, open } from './open-store.ts'

describe(`${testDatabase}: deliveries`, () => {
  const leaseMs = 30_000
  const declared = [
    { ...defaultChannelSettings, name: 'console', kind: 'console', source: 'built-in' as const },
    { ...defaultChannelSettings, name: 'hook', kind: 'webhook', source: 'config' as const },
  ]

  /** Two channels, a notification, and a delivery of it on each: claimed on the first, due on the second. */
  async function fired(t: TestContext) {
    const store = await open(t)
    const { present } = await store.transact((tx) => recordChannels(tx, me, declared, now))
    const [one] = await fire(store, notification(1))
    const [first, second] = present
    assert.ok(one && first && second)
    const [claimedId, dueId] = ['claimed', 'due']
    await store.transact((tx) =>
      deliveries.insertDeliveries(
        tx,
        [
          { id: claimedId, channelId: first.id, notification: one, attempt: 1, nextAt: now + leaseMs },
          { id: dueId, channelId: second.id, notification: one, attempt: 0, nextAt: now },
        ],
        now,
      ),
    )
    const claim = (channelId: number, at: number, limit = 10) =>
      store.transact((tx) => claims.claimDue(tx, { id: channelId, isGrouping: false }, at, leaseMs, limit))
    const stored = async () => {
      const all = [...(await deliveries.deliveriesOf(store.db, [one.id])).values()].flat()
      return new Map(all.map((delivery) => [delivery.id, delivery]))
    }
    const held = {
      id: claimedId,
      channelId: first.id,
      attempt: 1,
      backoffFrom: 0,
      tryingSinceAt: null,
      dueAt: now,
      groupId: null,
      repeats: 0,
      leaseUntil: now + leaseMs,
      notification: one,
    }
    return { store, first, second, notification: one, claimedId, dueId, claim, stored, held }
  }

  const whenIdle = ({ transact }: Store, claim: Claim, more: Partial<DeliveryResult> = {}) =>
    transact((tx) =>
      claims.recordResults(tx, [{ claim, state: 'sent', nextAt: null, error: null, latencyMs: 12, ...more }], now + 12),
    )

  test('a delivery written as claimed cannot be claimed by others before its lease ends; one without a claim is due', async (t) => {
    const { store, first, second, notification: one, claim, claimedId, dueId } = await fired(t)
    assert.equal((await nextDue(store.db)).get(first.id)?.at, now + leaseMs)
    assert.equal((await nextDue(store.db)).get(second.id)?.at, now)
    assert.equal((await nextDue(store.db)).size, 2)
    assert.deepEqual(await claim(first.id, now + leaseMs - 1), [])
    const leaseUntil = now + leaseMs
    assert.deepEqual(await claim(second.id, now), [
      {
        id: dueId,
        channelId: second.id,
        attempt: 1,
        backoffFrom: 0,
        tryingSinceAt: null,
        dueAt: now,
        groupId: null,
        repeats: 0,
        leaseUntil,
        notification: one,
      },
    ])
    assert.deepEqual(await claim(second.id, now), [], 'claimed once')
    assert.deepEqual(await claim(first.id, leaseUntil), [
      {
        id: claimedId,
        channelId: first.id,
        attempt: 2,
        backoffFrom: 0,
        tryingSinceAt: null,
        dueAt: leaseUntil,
        groupId: null,
        repeats: 0,
        leaseUntil: leaseUntil + leaseMs,
        notification: one,
      },
    ])
  })

  test('the longest due are claimed, up to a limit', async (t) => {
    const { store, second, claim } = await fired(t)
    const more = await fire(store, notification(2), notification(3), notification(4))
    await store.transact((tx) =>
      deliveries.insertDeliveries(
        tx,
        more.map((one, i) => ({
          id: `m${i}`,
          channelId: second.id,
          notification: one,
          attempt: 0,
          nextAt: now - 10 + i,
        })),
        now,
      ),
    )
    assert.deepEqual(
      (await claim(second.id, now, 2)).map(({ id }) => id),
      ['m0', 'm1'],
    )
    assert.deepEqual(
      (await claim(second.id, now)).map(({ id }) => id),
      ['m2', 'due'],
    )
  })

  test('the result of an attempt is recorded once, by the process that holds the claim', async (t) => {
    const { store, first, claim, claimedId, stored, held } = await fired(t)
    const [taken] = await claim(first.id, now + leaseMs)
    assert.ok(taken)
    assert.equal(await whenIdle(store, held), 0, 'the first claim ran out')
    assert.equal((await stored()).get(claimedId)?.state, 'pending')
    const nextAt = now + 5_000
    assert.equal(await whenIdle(store, taken, { state: 'pending', nextAt, error: '503' }), 1)
    const expected = { state: 'pending', attempts: 2, nextAt, error: '503', latencyMs: 12 }
    assert.deepEqual((await stored()).get(claimedId), {
      ...expected,
      id: claimedId,
      notificationId: held.notification.id,
      channelId: first.id,
    })
    const [again] = await claim(first.id, nextAt)
    assert.equal(again?.attempt, 3)
    assert.equal(await whenIdle(store, again as Claim), 1)
    assert.deepEqual(await claim(first.id, now + 100 * hourMs), [], 'sent is settled')
  })

  test('recording the same result twice changes nothing: the first response may have been lost', async (t) => {
    const { store, stored, held } = await fired(t)
    await whenIdle(store, held)
    const once = await stored()
    await whenIdle(store, held)
    assert.deepEqual(await stored(), once)
  })

  test('a released claim is due at once, and does not count as an attempt', async (t) => {
    const { store, first, claim, claimedId, stored, held } = await fired(t)
    await store.transact((tx) => claims.releaseClaims(tx, [held]))
    assert.deepEqual(
      [(await stored()).get(claimedId)?.attempts, (await stored()).get(claimedId)?.nextAt],
      [0, now],
      'and stands where it stood: before what became due later',
    )
    const [again] = await claim(first.id, now + 1)
    assert.equal(again?.attempt, 1)
    const [second] = await claim(first.id, now + 1 + leaseMs)
    assert.ok(again && second)
    await store.transact((tx) => claims.releaseClaims(tx, [again]))
    assert.equal((await stored()).get(claimedId)?.attempts, 2, 'only by whoever holds it')
  })

  test('the only process releases every claim; deliveries that wait for a retry keep waiting', async (t) => {
    const { store, first, second, claim } = await fired(t)
    const [due] = await claim(second.id, now)
    assert.ok(due)
    await whenIdle(store, due, { state: 'pending', nextAt: now + hourMs, error: '503' })
    assert.equal(await store.transact((tx) => claims.releaseAllClaims(tx, now + 1)), 1)
    assert.deepEqual(
      (await claim(first.id, now + 1)).map(({ attempt }) => attempt),
      [2],
    )
    assert.equal((await nextDue(store.db)).get(second.id)?.at, now + hourMs)
  })

  test('cancelled deliveries are revived for their task and expiry, and no others', async (t) => {
    const { store, second, claim, claimedId, dueId, stored, held } = await fired(t)
    const [due] = await claim(second.id, now)
    assert.ok(due)
    await whenIdle(store, held)
    await whenIdle(store, due, { state: 'cancelled', error: 'the task was completed', latencyMs: null })
    const revive =
      (...ids: number[]) =>
      (expiryAt: number) =>
        store.transact((tx) =>
          deliveries.reviveCancelled(
            tx,
            ids.map((id) => ({ id, expiryAt })),
            now + 9,
          ),
        )
    assert.equal(await revive(2)(now + hourMs), 0)
    assert.equal(await revive(1)(now), 0)
    assert.equal(await revive(1, 2)(now + hourMs), 1)
    const [sent, revived] = [(await stored()).get(claimedId), (await stored()).get(dueId)]
    assert.equal(sent?.state, 'sent')
    assert.deepEqual([revived?.state, revived?.nextAt, revived?.error], ['pending', now + 9, null])
  })

  test('pending deliveries of a missing channel are cancelled with the reason, and are not revived', async (t) => {
    const { store, first, second, dueId, stored, held } = await fired(t)
    await whenIdle(store, held)
    const drop = (id: number) => store.transact((tx) => deliveries.cancelForChannel(tx, id, 'gone', now + 1))
    await store.transact((tx) => recordChannels(tx, me, declared.slice(0, 1), now + 1))
    assert.equal(await drop(second.id), 1)
    assert.equal(await drop(first.id), 0, 'what was sent stays sent')
    const cancelled = (await stored()).get(dueId)
    assert.deepEqual([cancelled?.state, cancelled?.nextAt, cancelled?.error], ['cancelled', null, 'gone'])
    assert.equal((await nextDue(store.db)).get(second.id), undefined)
    const revived = await store.transact((tx) =>
      deliveries.reviveCancelled(tx, [{ id: 1, expiryAt: now + hourMs }], now + 2),
    )
    assert.equal(revived, 0, 'nobody would send it')
  })

  test('the deliveries of many notifications come by notification, in the order of the channels', async (t) => {
    const { store, notification: one } = await fired(t)
    const found = await deliveries.deliveriesOf(store.db, [one.id, 999])
    assert.deepEqual([...found.keys()], [one.id])
    assert.deepEqual(
      found.get(one.id)?.map(({ id }) => id),
      ['claimed', 'due'],
    )
    assert.equal((await deliveries.deliveriesOf(store.db, [])).size, 0)
  })
})
