import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { createFollowerLimits, type Follower } from './follower-limits.ts'

function start() {
  const { enter } = createFollowerLimits()
  const enterTimes = (times: number, follower: Follower) => Array.from({ length: times }, () => enter(follower))
  const refuses = (follower: Follower, kind: Problem['kind'], words: RegExp) =>
    assert.throws(
      () => enter(follower),
      (error) =>
        error instanceof Problem &&
        error.kind === kind &&
        words.test(error.message) &&
        error.extras.retryAfterMs === 30_000,
    )
  return { enter, enterTimes, refuses }
}

test('a token or session has 100, a user 200, and all together 2,000; whoever leaves makes room', () => {
  const { enter, enterTimes, refuses } = start()
  const by = (userId: number, credentialId: number) => ({ userId, credentialId })
  const leaves = enterTimes(100, by(1, 11))
  refuses(by(1, 11), 'rate-limited', /^This token or session follows events 100 times already/)
  leaves[0]?.()
  enter(by(1, 11))

  enterTimes(60, by(1, 12))
  enterTimes(40, by(1, 13))
  for (const credentialId of [12, 14])
    refuses(by(1, credentialId), 'rate-limited', /^This user follows events 200 times already/)
  leaves[1]?.()
  enter(by(1, 14))

  for (let user = 2; user <= 10; user++) for (const token of [1, 2]) enterTimes(100, by(user, 100 * user + token))
  refuses(by(11, 1_100), 'unavailable', /^2000 follow events already/)
  leaves[2]?.()
  enter(by(11, 1_100))
})

test('where nobody brings a credential only the total holds', () => {
  const { enterTimes, refuses } = start()
  const nobody = { userId: 1, credentialId: null }
  enterTimes(2_000, nobody)
  refuses(nobody, 'unavailable', /^2000 follow events already/)
})
