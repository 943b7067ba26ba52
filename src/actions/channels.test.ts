import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { anywhere, publicOrListed } from '#channels/egress-policy.ts'
import { ntfyKind } from '#channels/ntfy.ts'
import { Problem } from '#core/problem.ts'
import { openStore } from '#store/engine/open.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { addUsers } from '#support/users.ts'
import { type ChannelContext, createChannel, deleteChannel, testChannel, updateChannel } from './channels.ts'

const actor = { userId: 1 }
const private_ = { url: 'http://127.0.0.1:9', topic: 'tasks' }

/** A user who is an administrator until `role` says otherwise. */
async function start(t: TestContext) {
  const clock = fakeClock()
  const store = await openStore('sqlite::memory:', { clock, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  await addUsers(store)
  const role = { isAdministrator: true }
  const ofMembers = publicOrListed([])
  const ctx: ChannelContext = {
    db: store.db,
    transact: store.transact,
    wake() {},
    kinds: [ntfyKind],
    channelDeps: { clock, print: async () => {}, toEvent: () => ({}) },
    readEgressPolicy: async () => () => (role.isAdministrator ? anywhere : ofMembers),
  }
  return { ctx, role }
}

const isRefused = (error: unknown) =>
  error instanceof Problem &&
  error.kind === 'invalid' &&
  /^options\.url is an address of a private network/.test(error.message) &&
  JSON.stringify(error.extras.faults?.map(({ at }) => at)) === '[{"pointer":"/options/url"}]'

test('a member cannot create, change or test a channel into the private network', async (t) => {
  const { ctx, role } = await start(t)
  role.isAdministrator = false
  const draft = { name: 'Phone', kind: 'ntfy' }
  await assert.rejects(createChannel(ctx, actor, { ...draft, options: private_ }), isRefused)
  await assert.rejects(testChannel(ctx, actor, 'ntfy', private_), isRefused)
  const { id } = await createChannel(ctx, actor, { ...draft, options: { topic: 'tasks' } })
  await assert.rejects(updateChannel(ctx, actor, { id }, { options: { url: private_.url } }), isRefused)
  role.isAdministrator = true
  const changed = await updateChannel(ctx, actor, { id }, { options: { url: private_.url } })
  assert.equal(changed.options.url, private_.url)
})

test('a former administrator can rename, tag, switch off and delete a private channel, but not switch it on', async (t) => {
  const { ctx, role } = await start(t)
  const { id } = await createChannel(ctx, actor, { name: 'Phone', kind: 'ntfy', options: private_ })
  role.isAdministrator = false
  assert.equal((await updateChannel(ctx, actor, { id }, { name: 'Old phone', tags: ['home'] })).name, 'Old phone')
  await assert.rejects(updateChannel(ctx, actor, { id }, { options: { topic: 'other' } }), isRefused)
  assert.equal((await updateChannel(ctx, actor, { id }, { enabled: false })).isEnabled, false)
  await assert.rejects(updateChannel(ctx, actor, { id }, { enabled: true }), isRefused)
  assert.deepEqual(await deleteChannel(ctx, actor, { id }), { cancelled: 0 })
})
