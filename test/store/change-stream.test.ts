import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dialect } from 'kysely'
import { systemClock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import {
  type ChangeStream,
  type EventFilter,
  type StreamEvent,
  type Subscriber,
  startChangeStream,
} from '#events/change-stream.ts'
import { recordChange } from '#store/changes.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { migratedDatabase } from '#support/databases.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { watchQuiescence } from '#support/quiescence.ts'

/** The change stream by itself, over a real list of changes: many subscribers, slow ones, and those of another user. */
const me = 1

async function fixture(t: TestContext) {
  const url = await migratedDatabase(t)
  const clock = fakeClock()
  let statements = 0
  const rest = watchQuiescence()
  rest.rule(clock)
  const wrap = (dialect: Dialect) =>
    wrapConnections(rest.wrap(dialect), (_, run) => {
      statements++
      return run()
    })
  const open = async (onChangesCommitted = (_: readonly number[]) => {}) => {
    const store = await openStore(url, { clock: systemClock, onBroken() {}, onChangesCommitted, wrap })
    t.after(() => store[Symbol.asyncDispose]())
    return store
  }
  const store = await open((userIds) => changeStream.wake(userIds))
  const changeStream = startChangeStream({ db: store.db, clock, log: { error: assert.fail, info() {} } })
  return { store, open, clock, changeStream, statements: () => statements }
}

/** Writes this many changes, in one transaction. */
const happen = ({ transact }: Store, count: number, userId = me) =>
  transact(async (tx) => {
    for (let i = 0; i < count; i++) recordChange(tx, { userId, taskId: 1_000 * userId + i, kind: 'updated' })
  })

interface Listener {
  /** The change numbers, in the order of arrival. */
  readonly received: number[]
  /** The pages in which they arrived. */
  readonly lists: (readonly StreamEvent[])[]
  readonly resets: number[]
  isReady: boolean
  hasEnded: boolean
  leave(): void
  /** Resolves when this many changes have arrived in total. */
  hasReceived(count: number): Promise<void>
}

function listen(
  t: TestContext,
  changeStream: ChangeStream,
  after: number,
  filter: Partial<EventFilter> = {},
): Listener {
  let onPage = () => {}
  const subscriber: Subscriber = {
    isReady: () => listener.isReady,
    take(events) {
      if (events.length > 0) listener.lists.push(events)
      listener.received.push(...events.map(({ number }) => number))
      onPage()
    },
    reset(position) {
      listener.resets.push(position)
      onPage()
    },
    heartbeat() {},
    fail() {},
    end() {
      listener.hasEnded = true
      listener.leave()
    },
  }
  const listener: Listener = {
    received: [],
    lists: [],
    resets: [],
    isReady: true,
    hasEnded: false,
    leave: () => {},
    async hasReceived(count) {
      while (listener.received.length < count)
        await new Promise<void>((resolve) => {
          onPage = resolve
        })
    },
  }
  listener.leave = changeStream.subscribe(after, { userId: me, ...filter }, subscriber)
  t.after(() => listener.leave())
  return listener
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('each subscriber gets everything after its start, in order, and once', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 450)
  const late = listen(t, changeStream, 450)
  const all = listen(t, changeStream, 0)
  const some = listen(t, changeStream, 333)
  for (let i = 0; i < 5; i++) await happen(store, 7)
  await Promise.all([late.hasReceived(35), all.hasReceived(485), some.hasReceived(152)])
  assert.deepEqual(all.received, upTo(485))
  assert.deepEqual(some.received, upTo(485, 334))
  assert.deepEqual(late.received, upTo(485, 451))
})

test('a page for a thousand subscribers is serialised once', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 1)
  const many = Array.from({ length: 1_000 }, () => listen(t, changeStream, 1))
  await happen(store, 3)
  await Promise.all(many.map((one) => one.hasReceived(3)))
  assert.equal(new Set(many.map(({ lists }) => lists[0])).size, 1, 'one list')
  assert.deepEqual(many[999]?.received, [2, 3, 4])
})

test('a subscriber that cannot take more keeps its position, delays no other, and misses nothing', async (t) => {
  const { store, changeStream } = await fixture(t)
  const slow = listen(t, changeStream, 0)
  const quick = listen(t, changeStream, 0)
  slow.isReady = false
  await happen(store, 1_000)
  await quick.hasReceived(1_000)
  assert.deepEqual(slow.received, [])
  slow.isReady = true
  changeStream.wake([me])
  await slow.hasReceived(1_000)
  assert.deepEqual(slow.received, upTo(1_000))
  assert.deepEqual(quick.received, upTo(1_000))
})

test('a subscriber that reads a long past does not delay those at the front', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 5_000)
  const front = listen(t, changeStream, 5_000)
  const past = listen(t, changeStream, 0)
  await past.hasReceived(1)
  await happen(store, 1)
  await front.hasReceived(1)
  assert.ok(past.received.length < 5_000, `${past.received.length} of 5,000 had been told by then`)
  await past.hasReceived(5_001)
  assert.deepEqual(past.received, upTo(5_001))
})

test('an event is sent only to subscribers of its user', async (t) => {
  const { store, changeStream } = await fixture(t)
  const mine = listen(t, changeStream, 0)
  const theirs = listen(t, changeStream, 0, { userId: 2 })
  await happen(store, 2, 2)
  await happen(store, 3)
  await Promise.all([mine.hasReceived(3), theirs.hasReceived(2)])
  assert.deepEqual([mine.received, theirs.received], [upTo(3), upTo(2)])
  const taskIds = ({ lists }: Listener) => lists.flat().map(({ taskId }) => taskId)
  assert.deepEqual([taskIds(mine), taskIds(theirs)], [upTo(1_002, 1_000), upTo(2_001, 2_000)])
})

test('a change by another process arrives within a second', async (t) => {
  const { store, open, clock, changeStream } = await fixture(t)
  if (!store.dialect.isShared) return // there is no other process
  const listener = listen(t, changeStream, 0)
  await happen(store, 1)
  await listener.hasReceived(1)
  await happen(await open(), 1) // wakes no subscriber here
  await clock.advance(1_000)
  assert.deepEqual(listener.received, [1, 2])
})

test('a subscriber before the start of the list is informed, once, and continues from now', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 10)
  await store.db.deleteFrom('changes').where('number', '<=', 6).execute()
  const many = [0, 5, 6, 8].map((after) => listen(t, changeStream, after))
  await happen(store, 1)
  await Promise.all(many.map((one) => one.hasReceived(1)))
  assert.deepEqual(
    many.map(({ resets, received }) => [resets, received.at(-1)]),
    [
      [[10], 11],
      [[10], 11],
      [[], 11],
      [[], 11],
    ],
  )
})

test('the database is queried only while there are subscribers', async (t) => {
  const { store, clock, changeStream, statements } = await fixture(t)
  const listener = listen(t, changeStream, 0)
  await happen(store, 1)
  await listener.hasReceived(1)
  const before = statements()
  await clock.advance(10_000)
  const whileHeard = statements() - before
  assert.ok(whileHeard >= 9 && whileHeard <= 12, `${whileHeard} in 10 s`)
  listener.leave()
  await clock.advance(1_000)
  const after = statements()
  await clock.advance(10_000)
  assert.equal(statements(), after)
})

test('2,000 may subscribe, the next is refused, and may subscribe when one has left; a stop ends all', async (t) => {
  const { changeStream } = await fixture(t)
  const many = Array.from({ length: 2_000 }, () => listen(t, changeStream, 0))
  const isFull = (error: unknown) => error instanceof Problem && error.kind === 'unavailable'
  assert.throws(() => listen(t, changeStream, 0), isFull)
  many[7]?.leave()
  const last = listen(t, changeStream, 0)
  changeStream.stop()
  assert.ok([...many.filter((_, i) => i !== 7), last].every(({ hasEnded }) => hasEnded))
  assert.throws(() => listen(t, changeStream, 0), isFull)
})
