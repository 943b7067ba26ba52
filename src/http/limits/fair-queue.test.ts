import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handTurnedLoop } from '#support/hand-turned-loop.ts'
import { createLine } from './fair-queue.ts'

/** A line with a share of 5 ms a turn, in which each takes `costMs`. */
function start(costMs: number) {
  const loop = handTurnedLoop()
  const served: number[] = []
  let isOpen = true
  const line = createLine<number>(
    {
      shareMs: 5,
      isOpen: () => isOpen,
      serve(one) {
        served.push(one)
        loop.pass(costMs)
      },
    },
    loop.turns,
  )
  const enter = (from: number, to: number) => {
    for (let one = from; one <= to; one++) line.enter(one)
  }
  return { ...loop, line, served, enter, open: (now: boolean) => (isOpen = now) }
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

test('who comes to an empty line is served at once', () => {
  const { enter, served } = start(1)
  enter(1, 4)
  assert.deepEqual(served, [1, 2, 3, 4])
})

test('a turn has a share for the line, and those who came last wait for the next', () => {
  const { enter, served, line, turn } = start(1)
  enter(1, 12)
  assert.deepEqual(served, upTo(5))
  assert.equal(line.length, 7)
  turn() // what came before is over, and the next turn begins
  assert.equal(served.length, 5)
  turn()
  assert.deepEqual(served, upTo(10))
  turn()
  assert.deepEqual(served, upTo(12))
})

test('whoever comes while others wait stands behind them', () => {
  const { enter, served, turn, turnAll } = start(1)
  enter(1, 8)
  turn()
  enter(9, 20)
  assert.equal(served.length, 5, 'nobody has been served out of turn')
  turnAll()
  assert.deepEqual(served, upTo(20))
})

test('one that takes longer than a share has its turn alone, and the others still have theirs', () => {
  const { enter, served, turn } = start(40)
  enter(1, 3)
  assert.deepEqual(served, [1])
  for (const count of [1, 2, 3]) {
    turn()
    assert.equal(served.length, count)
  }
})

test('a line that is closed lets nobody in, and goes on when it is told to', () => {
  const { enter, served, line, open, turnAll } = start(1)
  open(false)
  enter(1, 3)
  turnAll()
  assert.deepEqual([served.length, line.length], [0, 3])
  open(true)
  turnAll()
  assert.equal(served.length, 0, 'nobody has told it')
  line.goOn()
  turnAll()
  assert.deepEqual(served, [1, 2, 3])
})

test('while it waits for nobody, it asks for no turns', () => {
  const { enter, turnAll, open, line } = start(1)
  enter(1, 3)
  assert.equal(turnAll(), 1, 'the turn in which they were served ends')
  open(false)
  enter(4, 6)
  line.goOn()
  assert.equal(turnAll(), 0)
})

test('a line that never ends keeps its order', () => {
  const { enter, served, turn, line } = start(0.01)
  for (let round = 0; round < 20; round++) {
    enter(round * 1_000 + 1, (round + 1) * 1_000)
    turn()
  }
  while (line.length > 0) turn()
  assert.deepEqual(served, upTo(20_000))
})
