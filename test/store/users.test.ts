import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultChannelSettings } from '#channels/settings.ts'
import { channelKinds } from '#store/channels.ts'
import { recordChannels } from '#store/declared-channels.ts'
import type { Store } from '#store/engine/open.ts'
import * as preferences from '#store/preferences.ts'
import * as recompute from '#store/recompute.ts'
import * as taskWrites from '#store/task-writes.ts'
import * as userWrites from '#store/user-writes.ts'
import * as users from '#store/users.ts'
import { testDatabase } from '#support/databases.ts'
import { defaults, draft, me, now, open, other } from './open-store.ts'

describe(`${testDatabase}: channels and users`, () => {
  test('a channel keeps its id when its kind changes, when it is absent for a while, and in another order', async (t) => {
    const store = await open(t)
    const record = (...declared: [name: string, kind: string][]) =>
      store.transact((tx) =>
        recordChannels(
          tx,
          me,
          declared.map(([name, kind]) => ({ ...defaultChannelSettings, name, kind, source: 'config' })),
          now,
        ),
      )
    const { present } = await record(['a', 'webhook'], ['b', 'webhook'])
    const [a, b] = present
    assert.ok(a && b && a.id !== b.id)
    const changed = await record(['b', 'email'])
    assert.deepEqual(changed.present, [{ ...b, kind: 'email' }])
    assert.deepEqual(
      changed.removed.map(({ id }) => id),
      [a.id],
    )
    const back = await record(['b', 'email'], ['a', 'webhook'])
    assert.deepEqual(
      back.present.toSorted((x, y) => x.id - y.id),
      [a, { ...b, kind: 'email' }],
    )
    assert.deepEqual(back.removed, [])
    assert.deepEqual(
      await channelKinds(store.db, me),
      new Map([
        [a.id, 'webhook'],
        [b.id, 'email'],
      ]),
    )
    const theirs = await store.transact((tx) =>
      recordChannels(tx, other, [{ ...defaultChannelSettings, name: 'a', kind: 'webhook', source: 'config' }], now),
    )
    assert.notEqual(theirs.present[0]?.id, a.id)
  })

  const person = { email: null, role: 'member', password: null, identity: null, defaults } as const
  const stale = ({ db }: Store) => recompute.findStaleUsers(db)
  const defaultsOf = async ({ db }: Store, id: number) => (await users.getUser(db, id)).defaults

  test('alarms use a user’s own settings, and the server’s for the rest', async (t) => {
    const empty = await open(t)
    await empty.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    assert.deepEqual(await stale(empty), [], 'a new database has no alarms that could be stale')

    const store = await open(t)
    await store.transact((tx) => taskWrites.insertTask(tx, draft({}, users.builtInUserId)))
    await store.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    const other = await store.transact((tx) => userWrites.insertUser(tx, { ...person, name: 'ada' }, now))
    assert.deepEqual(await stale(store), [users.builtInUserId], 'tasks of the original were taken over')
    const sinceOf = async (id: number) => (await users.getUser(store.db, id)).staleSince ?? assert.fail('is fresh')
    const markFresh = (id: number, since: number) => store.transact((tx) => recompute.markFresh(tx, id, since))
    assert.equal(await markFresh(users.builtInUserId, await sinceOf(users.builtInUserId)), true)

    const own = { reminders: ['P1D', 'PT0S'], dayReminders: null, dayTime: null, timeZone: null }
    const save = (wanted: preferences.OwnDefaults) =>
      store.transact((tx) => preferences.saveOwnDefaults(tx, other, wanted, defaults, now))
    assert.equal(await save({ ...own, reminders: ['P2D'] }), true)
    const earlier = await sinceOf(other)
    assert.equal(await save(own), true)
    assert.deepEqual(await defaultsOf(store, other), {
      reminders: ['P1D', 'PT0S'],
      dayReminders: ['PT0S'],
      dayTime: '09:00',
      timeZone: defaults.timeZone,
    })
    assert.deepEqual(await stale(store), [other])
    assert.equal(await markFresh(other, earlier), false, 'of the same millisecond, and not the last change')
    assert.deepEqual(await stale(store), [other])
    assert.equal(await markFresh(other, await sinceOf(other)), true)
    assert.deepEqual(await stale(store), [])
    assert.equal(await save(own), false, 'the same again')

    const servers = { reminders: ['PT1H'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
    await store.transact((tx) => preferences.adoptServerDefaults(tx, servers, now))
    assert.deepEqual(await defaultsOf(store, users.builtInUserId), servers)
    assert.deepEqual(await defaultsOf(store, other), {
      reminders: ['P1D', 'PT0S'],
      dayReminders: ['PT0S'],
      dayTime: '09:00',
      timeZone: 'Europe/Paris',
    })
    assert.deepEqual(await stale(store), [users.builtInUserId, other])
  })

  test('the progress of a walk belongs to one change of one user, and is deleted with the user', async (t) => {
    const store = await open(t)
    await store.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    const ada = await store.transact((tx) => userWrites.insertUser(tx, { ...person, name: 'ada' }, now))
    const lock = () => store.transact((tx) => recompute.lockProgress(tx, ada, now))
    assert.equal(await lock(), undefined, 'nothing is stale')
    const save = (hours: number) =>
      store.transact((tx) =>
        preferences.saveOwnDefaults(
          tx,
          ada,
          { reminders: [`PT${hours}H`], dayReminders: null, dayTime: null, timeZone: null },
          defaults,
          now,
        ),
      )
    await save(1)
    const begin = { staleSince: now, begunAt: now, isPast: false, expiryAt: now, taskId: 0, tasks: 0 }
    assert.deepEqual(await lock(), begin)
    const place = { ...begin, isPast: true, expiryAt: -5, taskId: 3, tasks: 1_000 }
    await store.transact((tx) => recompute.saveProgress(tx, ada, place))
    assert.deepEqual([await lock(), await recompute.findProgress(store.db, ada, now)], [place, place])
    await save(2)
    assert.deepEqual(await lock(), { ...begin, staleSince: now + 1 }, 'of another change')
    assert.equal(await recompute.findProgress(store.db, ada, now + 1), undefined)
    await store.transact((tx) => userWrites.deleteUserRow(tx, ada))
    assert.equal(await recompute.findProgress(store.db, ada, now), undefined)
  })

  test('users have unique ids and unique names, and none is used twice', async (t) => {
    const store = await open(t)
    await store.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    const add = (name: string, email: string | null = null) =>
      store.transact((tx) => userWrites.insertUser(tx, { ...person, name, email }, now))
    const [ada, bob] = [await add('ada', 'ada@example.org'), await add('bob')]
    assert.equal(new Set([users.builtInUserId, ada, bob]).size, 3)
    await assert.rejects(add('ada'), /the name «ada»/)
    await assert.rejects(add('eve', 'ada@example.org'), /the email «ada@example.org»/)
    await store.transact((tx) => userWrites.deleteUserRow(tx, bob))
    assert.ok((await add('bob')) > bob)
  })

  test('a change of settings waits for writes that use the earlier ones', async (t) => {
    const store = await open(t)
    await store.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    const id = users.builtInUserId
    const own = { reminders: ['PT1H'], dayReminders: null, dayTime: null, timeZone: null }
    let change: Promise<unknown> | undefined
    await store.transact(async (tx) => {
      assert.deepEqual(await users.defaultsInTransaction(tx, id), defaults)
      change = store.transact(async (tx) => {
        await users.lockUser(tx, id)
        await preferences.saveOwnDefaults(tx, id, own, defaults, now)
      })
      // During this transaction the settings that it read stay current.
      assert.deepEqual(await users.defaultsInTransaction(tx, id), defaults)
      assert.deepEqual((await users.getUser(tx, id)).defaults, defaults)
    })
    await change
    assert.deepEqual((await defaultsOf(store, id)).reminders, ['PT1H'])
    await store.transact(async (tx) =>
      assert.deepEqual((await users.defaultsInTransaction(tx, id)).reminders, ['PT1H']),
    )
  })

  test('nothing can be written for a user who is being deleted', async (t) => {
    const store = await open(t)
    await store.transact((tx) => preferences.adoptServerDefaults(tx, defaults, now))
    const ada = await store.transact((tx) => userWrites.insertUser(tx, { ...person, name: 'ada' }, now))
    await store.transact((tx) => userWrites.saveUser(tx, ada, { removedAt: now }))
    await assert.rejects(
      store.transact((tx) => users.defaultsInTransaction(tx, ada)),
      /no longer exists/,
    )
  })
})
