import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { createFollowerLimits, type Follower } from './follower-limits.ts'

function start() {
  const { acquire } = createFollowerLimits()
  const acquireTimes = (times: number, follower: Follower) => Array.from({ length: times }, () => acquire(follower))
  const refuses = (follower: Follower, kind: Problem['kind'], message: RegExp) =>
    assert.throws(
      () => acquire(follower),
      (error) =>
        error instanceof Problem &&
        error.kind === kind &&
        message.test(error.message) &&
        error.extras.retryAfterMs === 30_000,
    )
  return { acquire, acquireTimes, refuses }
}

test('a token or session may follow 100 times, a user 200 and all together 2,000; leaving frees a slot', () => {
  const { acquire, acquireTimes, refuses } = start()
  const by = (userId: number, credentialId: number) => ({ userId, credentialId })
  const leaves = acquireTimes(100, by(1, 11))
  refuses(by(1, 11), 'rate-limited', /^This token or session follows events 100 times already/)
  leaves[0]?.()
  acquire(by(1, 11))

  acquireTimes(60, by(1, 12))
  acquireTimes(40, by(1, 13))
  for (const credentialId of [12, 14])
    refuses(by(1, credentialId), 'rate-limited', /^This user follows events 200 times already/)
  leaves[1]?.()
  acquire(by(1, 14))

  for (let user = 2; user <= 10; user++) for (const token of [1, 2]) acquireTimes(100, by(user, 100 * user + token))
  refuses(by(11, 1_100), 'unavailable', /^2000 follow events already/)
  leaves[2]?.()
  acquire(by(11, 1_100))
})

test('without credentials only the total limit applies', () => {
  const { acquireTimes, refuses } = start()
  const anonymous = { userId: 1, credentialId: null }
  acquireTimes(2_000, anonymous)
  refuses(anonymous, 'unavailable', /^2000 follow events already/)
})
