import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualEventLoop } from '#support/manual-event-loop.ts'
import { createFairQueue } from './fair-queue.ts'

/** A queue with a share of 5 ms a turn, in which each item takes `costMs`. */
function start(costMs: number) {
  const loop = manualEventLoop()
  const served: number[] = []
  let hasCapacity = true
  const queue = createFairQueue<number>(
    {
      shareMs: 5,
      hasCapacity: () => hasCapacity,
      serve(item) {
        served.push(item)
        loop.pass(costMs)
      },
    },
    loop.eventLoop,
  )
  const push = (from: number, to: number) => {
    for (let item = from; item <= to; item++) queue.push(item)
  }
  return { ...loop, queue, served, push, open: (now: boolean) => (hasCapacity = now) }
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

test('an item that is pushed to an empty queue is served at once', () => {
  const { push, served } = start(1)
  push(1, 4)
  assert.deepEqual(served, [1, 2, 3, 4])
})

test('a turn serves its share, and the last items wait for the next turn', () => {
  const { push, served, queue, turn } = start(1)
  push(1, 12)
  assert.deepEqual(served, upTo(5))
  assert.equal(queue.length, 7)
  turn() // ends the first turn
  assert.equal(served.length, 5)
  turn()
  assert.deepEqual(served, upTo(10))
  turn()
  assert.deepEqual(served, upTo(12))
})

test('a new item is served after those that wait', () => {
  const { push, served, turn, turnAll } = start(1)
  push(1, 8)
  turn()
  push(9, 20)
  assert.equal(served.length, 5, 'no item was served out of order')
  turnAll()
  assert.deepEqual(served, upTo(20))
})

test('an item that takes longer than a share has a turn alone, and the others have theirs', () => {
  const { push, served, turn } = start(40)
  push(1, 3)
  assert.deepEqual(served, [1])
  for (const count of [1, 2, 3]) {
    turn()
    assert.equal(served.length, count)
  }
})

test('a queue without capacity serves nothing, and continues when it is resumed', () => {
  const { push, served, queue, open, turnAll } = start(1)
  open(false)
  push(1, 3)
  turnAll()
  assert.deepEqual([served.length, queue.length], [0, 3])
  open(true)
  turnAll()
  assert.equal(served.length, 0, 'it was not resumed')
  queue.resume()
  turnAll()
  assert.deepEqual(served, [1, 2, 3])
})

test('an empty or full queue schedules no turns', () => {
  const { push, turnAll, open, queue } = start(1)
  push(1, 3)
  assert.equal(turnAll(), 1, 'the turn in which they were served ends')
  open(false)
  push(4, 6)
  queue.resume()
  assert.equal(turnAll(), 0)
})

test('a queue that never empties keeps its order', () => {
  const { push, served, turn, queue } = start(0.01)
  for (let round = 0; round < 20; round++) {
    push(round * 1_000 + 1, (round + 1) * 1_000)
    turn()
  }
  while (queue.length > 0) turn()
  assert.deepEqual(served, upTo(20_000))
})
