import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSample, sampleOfCommit, statementsOf } from './sample.ts'

test('all parts together cover each statement once', () => {
  const taken = [1, 2, 3].flatMap((part) => statementsOf({ part, of: 3 }).take(4).toArray())
  assert.deepEqual(
    taken.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  )
})

test('each commit has a part, and the same one each time', () => {
  const commits = ['00000000aa', '00000007aa', '00000008aa', 'ffffffffaa']
  assert.deepEqual(
    commits.map((commit) => sampleOfCommit(commit, 8).part),
    [1, 8, 1, 8],
  )
})

test('an invalid sample is refused', () => {
  assert.deepEqual(parseSample('3/8'), { part: 3, of: 8 })
  for (const text of ['', '0/8', '9/8', '1/0', '1', 'all']) assert.throws(() => parseSample(text), /CRASH_SAMPLE/)
})
