import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import type { ChannelKind } from '#channels/channel.ts'
import { anywhere, type EgressPolicyOf, publicOrListed } from '#channels/egress-policy.ts'
import { defaultChannelSettings } from '#channels/settings.ts'
import type { ChannelRecord } from '#core/channel.ts'
import Type from '#json-schema.ts'
import * as records from '#store/channels.ts'
import { bumpConfigVersion } from '#store/config-version.ts'
import { openStore } from '#store/engine/open.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { type ChannelSet, createChannelSet } from './channel-registry.ts'

/** A store, and as many sets on it as there would be replicas. */
async function start(t: TestContext) {
  const clock = fakeClock()
  const store = await openStore('sqlite::memory:', { clock, onBroken() {} })
  const log: string[] = []
  const kind: ChannelKind = {
    kind: 'noted',
    label: 'Noted',
    about: 'Notes what becomes of it.',
    options: Type.Object({}),
    concurrency: 7,
    async open(options, { egress }) {
      const { name, fails } = options as { name: string; fails?: boolean }
      if (fails) throw new Error('no such place')
      log.push(`+${name}${egress === anywhere ? '' : ' within'}`)
      return {
        send: async () => 'sent',
        async [Symbol.asyncDispose]() {
          log.push(`-${name}`)
        },
      }
    },
  }
  const sets: ChannelSet[] = []
  const openSet = (egressPolicyOf: EgressPolicyOf = () => anywhere) => {
    const deps = { clock, print: async () => {}, toEvent: () => ({}) }
    const parts = { kinds: [kind], declared: new Map(), deps, log: pino({ level: 'silent' }) }
    const set = createChannelSet({ ...parts, readEgressPolicy: async () => egressPolicyOf })
    sets.push(set)
    return set
  }
  t.after(async () => {
    for (const set of sets) await set[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })
  const add = (name: string, more: object = {}) =>
    store.transact(async (tx, now) => {
      const given = { userId: 1, kind: 'noted', source: 'api', disabledReason: null, version: 1 } as const
      const options = { name, ...more }
      const channel = {
        ...given,
        ...defaultChannelSettings,
        name,
        options,
        isEnabled: true,
        createdAt: now,
        updatedAt: now,
      }
      return records.insertChannel(tx, channel)
    })
  const change = (id: number, with_: Partial<ChannelRecord>) =>
    store.transact(async (tx) => {
      const before = await records.getChannel(tx, 1, id)
      await records.saveChannel(tx, { ...before, ...with_, version: before.version + 1 })
    })
  const bump = () => store.transact(bumpConfigVersion)
  const names = async (set: ChannelSet) => (await set.open(store.db)).map(({ record }) => record.name)
  return { store, log, openSet, add, change, bump, names }
}

test('a channel is opened once, whatever else is made beside it', async (t) => {
  const { store, log, openSet, add, names } = await start(t)
  const set = openSet()
  await add('a')
  const first = await set.open(store.db)
  assert.equal(await set.open(store.db), first, 'the same list while nothing has changed')
  await add('b')
  assert.deepEqual(await names(set), ['a', 'b'])
  assert.deepEqual(log, ['+a', '+b'])
})

test('each replica learns of what another has made, changed and switched off', async (t) => {
  const { openSet, add, change, names } = await start(t)
  const [one, other] = [openSet(), openSet()]
  const id = await add('a')
  assert.deepEqual([await names(one), await names(other)], [['a'], ['a']])
  await change(id, { isEnabled: false })
  assert.deepEqual([await names(one), await names(other)], [[], []])
  await change(id, { isEnabled: true })
  assert.deepEqual([await names(one), await names(other)], [['a'], ['a']])
})

test('a ring that sees a new channel before anybody has opened it plans for it', async (t) => {
  const { store, openSet, add } = await start(t)
  const set = openSet()
  await set.open(store.db)
  await add('a')
  const { channels } = await store.transact((tx) => set.setup(tx))
  assert.deepEqual(
    channels.map(({ name }) => name),
    ['a'],
  )
})

test('one that is changed is opened anew, and the old one closed after what is underway', async (t) => {
  const { store, log, openSet, add, change } = await start(t)
  const set = openSet()
  const id = await add('a')
  const [before] = await set.open(store.db)
  before?.hold()
  await change(id, { options: { name: 'a2' } })
  const [after] = await set.open(store.db)
  assert.notEqual(after, before)
  assert.deepEqual(log, ['+a', '+a2'])
  before?.release()
  assert.deepEqual(log, ['+a', '+a2', '-a'])
})

test('one whose user is an administrator no more is opened anew, though it is the same, and the old one closed', async (t) => {
  const { store, log, openSet, add, bump } = await start(t)
  const ofMembers = publicOrListed([])
  const administrators = new Set([1])
  const asked: object[] = []
  const set = openSet(({ userId, source }) => {
    asked.push({ userId, source })
    return administrators.has(userId) ? anywhere : ofMembers
  })
  await add('a')
  const [before] = await set.open(store.db)
  assert.deepEqual(asked, [{ userId: 1, source: 'api' }])
  administrators.clear()
  await bump()
  const [after] = await set.open(store.db)
  assert.notEqual(after, before)
  assert.equal(after?.record.version, before?.record.version)
  assert.deepEqual(log, ['+a', '-a', '+a within'])
  await bump()
  assert.deepEqual(await set.open(store.db), [after])
  administrators.add(1)
  await bump()
  await set.open(store.db)
  assert.deepEqual(log, ['+a', '-a', '+a within', '-a', '+a'])
})

test('one whose options its kind does not take any more fails each attempt with the reason', async (t) => {
  const { store, openSet, add } = await start(t)
  await add('a', { fails: true })
  const [channel] = await openSet().open(store.db)
  const outcome = await channel?.channel.send({} as never, new AbortController().signal)
  assert.deepEqual(outcome, { retry: true, reason: 'cannot be opened: no such place' })
})
