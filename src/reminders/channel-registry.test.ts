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
import { type ChannelRegistry, createChannelRegistry } from './channel-registry.ts'

/** A store, and a registry for each replica. */
async function start(t: TestContext) {
  const clock = fakeClock()
  const store = await openStore('sqlite::memory:', { clock, onBroken() {} })
  const log: string[] = []
  const kind: ChannelKind = {
    kind: 'noted',
    label: 'Noted',
    about: 'Records opening and closing.',
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
  const registries: ChannelRegistry[] = []
  const openRegistry = (egressPolicyOf: EgressPolicyOf = () => anywhere) => {
    const deps = { clock, print: async () => {}, toEvent: () => ({}) }
    const parts = { kinds: [kind], declared: new Map(), deps, log: pino({ level: 'silent' }) }
    const registry = createChannelRegistry({ ...parts, readEgressPolicy: async () => egressPolicyOf })
    registries.push(registry)
    return registry
  }
  t.after(async () => {
    for (const registry of registries) await registry[Symbol.asyncDispose]()
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
  const names = async (registry: ChannelRegistry) => (await registry.open(store.db)).map(({ record }) => record.name)
  return { store, log, openRegistry, add, change, bump, names }
}

test('a channel is opened once, whatever other channels are created', async (t) => {
  const { store, log, openRegistry, add, names } = await start(t)
  const registry = openRegistry()
  await add('a')
  const first = await registry.open(store.db)
  assert.equal(await registry.open(store.db), first, 'the same list while nothing has changed')
  await add('b')
  assert.deepEqual(await names(registry), ['a', 'b'])
  assert.deepEqual(log, ['+a', '+b'])
})

test('each replica notices channels that another created, changed or switched off', async (t) => {
  const { openRegistry, add, change, names } = await start(t)
  const [one, other] = [openRegistry(), openRegistry()]
  const id = await add('a')
  assert.deepEqual([await names(one), await names(other)], [['a'], ['a']])
  await change(id, { isEnabled: false })
  assert.deepEqual([await names(one), await names(other)], [[], []])
  await change(id, { isEnabled: true })
  assert.deepEqual([await names(one), await names(other)], [['a'], ['a']])
})

test('a transaction sees a new channel before it is opened', async (t) => {
  const { store, openRegistry, add } = await start(t)
  const registry = openRegistry()
  await registry.open(store.db)
  await add('a')
  const { channels } = await store.transact((tx) => registry.snapshot(tx))
  assert.deepEqual(
    channels.map(({ name }) => name),
    ['a'],
  )
})

test('a changed channel is opened anew, and the old one closes after its last attempt', async (t) => {
  const { store, log, openRegistry, add, change } = await start(t)
  const registry = openRegistry()
  const id = await add('a')
  const [before] = await registry.open(store.db)
  before?.retain()
  await change(id, { options: { name: 'a2' } })
  const [after] = await registry.open(store.db)
  assert.notEqual(after, before)
  assert.deepEqual(log, ['+a', '+a2'])
  before?.release()
  assert.deepEqual(log, ['+a', '+a2', '-a'])
})

test('the channel of a former administrator is opened anew with the other egress policy', async (t) => {
  const { store, log, openRegistry, add, bump } = await start(t)
  const ofMembers = publicOrListed([])
  const administrators = new Set([1])
  const asked: object[] = []
  const registry = openRegistry(({ userId, source }) => {
    asked.push({ userId, source })
    return administrators.has(userId) ? anywhere : ofMembers
  })
  await add('a')
  const [before] = await registry.open(store.db)
  assert.deepEqual(asked, [{ userId: 1, source: 'api' }])
  administrators.clear()
  await bump()
  const [after] = await registry.open(store.db)
  assert.notEqual(after, before)
  assert.equal(after?.record.version, before?.record.version)
  assert.deepEqual(log, ['+a', '-a', '+a within'])
  await bump()
  assert.deepEqual(await registry.open(store.db), [after])
  administrators.add(1)
  await bump()
  await registry.open(store.db)
  assert.deepEqual(log, ['+a', '-a', '+a within', '-a', '+a'])
})

test('a channel whose options its kind no longer accepts fails each attempt with the reason', async (t) => {
  const { store, openRegistry, add } = await start(t)
  await add('a', { fails: true })
  const [channel] = await openRegistry().open(store.db)
  const outcome = await channel?.channel.send({} as never, new AbortController().signal)
  assert.deepEqual(outcome, { retry: true, reason: 'cannot be opened: no such place' })
})
