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

interface Ear {
  /** The change numbers, in the order of arrival. */
  readonly heard: number[]
  /** The pages in which they arrived. */
  readonly lists: (readonly StreamEvent[])[]
  readonly resets: number[]
  isReady: boolean
  hasEnded: boolean
  leave(): void
  /** Resolves when this many changes have arrived in total. */
  hears(count: number): Promise<void>
}

function listen(t: TestContext, changeStream: ChangeStream, after: number, filter: Partial<EventFilter> = {}): Ear {
  let whenHeard = () => {}
  const subscriber: Subscriber = {
    isReady: () => ear.isReady,
    take(events) {
      if (events.length > 0) ear.lists.push(events)
      ear.heard.push(...events.map(({ number }) => number))
      whenHeard()
    },
    reset(position) {
      ear.resets.push(position)
      whenHeard()
    },
    heartbeat() {},
    fail() {},
    end() {
      ear.hasEnded = true
      ear.leave()
    },
  }
  const ear: Ear = {
    heard: [],
    lists: [],
    resets: [],
    isReady: true,
    hasEnded: false,
    leave: () => {},
    async hears(count) {
      while (ear.heard.length < count)
        await new Promise<void>((resolve) => {
          whenHeard = resolve
        })
    },
  }
  ear.leave = changeStream.subscribe(after, { userId: me, ...filter }, subscriber)
  t.after(() => ear.leave())
  return ear
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('each subscriber gets everything after its start, in order, and once', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 450)
  const late = listen(t, changeStream, 450)
  const all = listen(t, changeStream, 0)
  const some = listen(t, changeStream, 333)
  for (let i = 0; i < 5; i++) await happen(store, 7)
  await Promise.all([late.hears(35), all.hears(485), some.hears(152)])
  assert.deepEqual(all.heard, upTo(485))
  assert.deepEqual(some.heard, upTo(485, 334))
  assert.deepEqual(late.heard, upTo(485, 451))
})

test('a page for a thousand subscribers is serialised once', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 1)
  const ears = Array.from({ length: 1_000 }, () => listen(t, changeStream, 1))
  await happen(store, 3)
  await Promise.all(ears.map((ear) => ear.hears(3)))
  assert.equal(new Set(ears.map(({ lists }) => lists[0])).size, 1, 'one list')
  assert.deepEqual(ears[999]?.heard, [2, 3, 4])
})

test('a subscriber that cannot take more keeps its position, delays no other, and misses nothing', async (t) => {
  const { store, changeStream } = await fixture(t)
  const slow = listen(t, changeStream, 0)
  const quick = listen(t, changeStream, 0)
  slow.isReady = false
  await happen(store, 1_000)
  await quick.hears(1_000)
  assert.deepEqual(slow.heard, [])
  slow.isReady = true
  changeStream.wake([me])
  await slow.hears(1_000)
  assert.deepEqual(slow.heard, upTo(1_000))
  assert.deepEqual(quick.heard, upTo(1_000))
})

test('a subscriber that reads a long past does not delay those at the front', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 5_000)
  const front = listen(t, changeStream, 5_000)
  const past = listen(t, changeStream, 0)
  await past.hears(1)
  await happen(store, 1)
  await front.hears(1)
  assert.ok(past.heard.length < 5_000, `${past.heard.length} of 5,000 had been told by then`)
  await past.hears(5_001)
  assert.deepEqual(past.heard, upTo(5_001))
})

test('an event is sent only to subscribers of its user', async (t) => {
  const { store, changeStream } = await fixture(t)
  const mine = listen(t, changeStream, 0)
  const theirs = listen(t, changeStream, 0, { userId: 2 })
  await happen(store, 2, 2)
  await happen(store, 3)
  await Promise.all([mine.hears(3), theirs.hears(2)])
  assert.deepEqual([mine.heard, theirs.heard], [upTo(3), upTo(2)])
  const taskIds = ({ lists }: Ear) => lists.flat().map(({ taskId }) => taskId)
  assert.deepEqual([taskIds(mine), taskIds(theirs)], [upTo(1_002, 1_000), upTo(2_001, 2_000)])
})

test('a change by another process arrives within a second', async (t) => {
  const { store, open, clock, changeStream } = await fixture(t)
  if (!store.dialect.isShared) return // there is no other process
  const ear = listen(t, changeStream, 0)
  await happen(store, 1)
  await ear.hears(1)
  await happen(await open(), 1) // wakes no subscriber here
  await clock.advance(1_000)
  assert.deepEqual(ear.heard, [1, 2])
})

test('a subscriber before the start of the list is informed, once, and continues from now', async (t) => {
  const { store, changeStream } = await fixture(t)
  await happen(store, 10)
  await store.db.deleteFrom('changes').where('number', '<=', 6).execute()
  const ears = [0, 5, 6, 8].map((after) => listen(t, changeStream, after))
  await happen(store, 1)
  await Promise.all(ears.map((ear) => ear.hears(1)))
  assert.deepEqual(
    ears.map(({ resets, heard }) => [resets, heard.at(-1)]),
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
  const ear = listen(t, changeStream, 0)
  await happen(store, 1)
  await ear.hears(1)
  const before = statements()
  await clock.advance(10_000)
  const whileHeard = statements() - before
  assert.ok(whileHeard >= 9 && whileHeard <= 12, `${whileHeard} in 10 s`)
  ear.leave()
  await clock.advance(1_000)
  const after = statements()
  await clock.advance(10_000)
  assert.equal(statements(), after)
})

test('2,000 may subscribe, the next is refused, and may subscribe when one has left; a stop ends all', async (t) => {
  const { changeStream } = await fixture(t)
  const ears = Array.from({ length: 2_000 }, () => listen(t, changeStream, 0))
  const isFull = (error: unknown) => error instanceof Problem && error.kind === 'unavailable'
  assert.throws(() => listen(t, changeStream, 0), isFull)
  ears[7]?.leave()
  const last = listen(t, changeStream, 0)
  changeStream.stop()
  assert.ok([...ears.filter((_, i) => i !== 7), last].every(({ hasEnded }) => hasEnded))
  assert.throws(() => listen(t, changeStream, 0), isFull)
})
