import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { addressKey, createRateLimiter } from './rate-limit.ts'

const minuteMs = 60_000

function start(perMinute = 60) {
  let at = 0
  let rejected = 0
  const headers: Record<string, unknown> = {}
  const reply = {
    header(name: string, value: unknown) {
      headers[name] = value
      return reply
    },
  } as unknown as Parameters<ReturnType<typeof createRateLimiter>['request']>[0]
  const limiter = createRateLimiter({ perMinute, now: () => at, onRejected: () => rejected++ })
  /** Returns the seconds to wait when an action is rejected, or else undefined. */
  const waitOf = (action: () => unknown): number | undefined => {
    try {
      action()
      return undefined
    } catch (error) {
      assert.ok(error instanceof Problem && error.kind === 'rate-limited', String(error))
      return (error.extras.retryAfterMs as number) / 1_000
    }
  }
  const ask = (key: string, isKnown = true) => waitOf(() => limiter.request(reply, { key, isKnown }))
  return {
    limiter,
    headers,
    ask,
    /** Fails to sign in. */
    fail: (address: string, account: string) => waitOf(() => limiter.beginAttempt(address, account)),
    wrongToken: (address: string) => waitOf(() => limiter.failure(address)),
    pass(ms: number) {
      at += ms
    },
    rejections: () => rejected,
  }
}

/** Returns how often an action succeeds before it is rejected, at most a thousand times. */
function timesUntilRejected(action: () => number | undefined): number {
  for (let count = 0; count < 1_000; count++) if (action() !== undefined) return count
  return Number.POSITIVE_INFINITY
}

test('each caller has its own quota, and an unknown one a tenth of it', () => {
  const { ask, rejections } = start(60)
  for (const key of ['token:1', 'token:2', 'session:x'])
    assert.equal(
      timesUntilRejected(() => ask(key)),
      60,
      key,
    )
  assert.equal(
    timesUntilRejected(() => ask(addressKey('192.0.2.1'), false)),
    6,
  )
  assert.equal(rejections(), 4)
})

test('0 is no limit, and sets no headers', () => {
  const { ask, headers } = start(0)
  assert.equal(
    timesUntilRejected(() => ask('token:1')),
    Number.POSITIVE_INFINITY,
  )
  assert.deepEqual(headers, {})
})

test('response headers have the quota and what is left of it', () => {
  const { ask, headers, pass } = start(6_000)
  ask('token:1')
  assert.deepEqual(headers, { 'ratelimit-policy': '"caller";q=6000;w=60', ratelimit: '"caller";r=5999;t=1' })
  ask('address:192.0.2.1', false)
  assert.deepEqual(headers, { 'ratelimit-policy': '"address";q=600;w=60', ratelimit: '"address";r=599;t=1' })
  timesUntilRejected(() => ask('address:192.0.2.1', false))
  assert.equal(headers.ratelimit, '"address";r=0;t=1')
  pass(5 * minuteMs)
  ask('address:192.0.2.1', false)
  assert.equal(headers.ratelimit, '"address";r=599;t=1')
})

test('a rejected caller is told to retry no sooner than one request is left', () => {
  const { ask, headers, pass } = start(4)
  timesUntilRejected(() => ask('token:1'))
  assert.equal(ask('token:1'), 15)
  assert.equal(headers.ratelimit, '"caller";r=0;t=15')
  pass(15_000)
  assert.equal(ask('token:1'), undefined)
})

test('ten attempts in 15 minutes to sign in to an account from an address', () => {
  const { fail, pass } = start()
  assert.equal(
    timesUntilRejected(() => fail('192.0.2.1', 'ann')),
    10,
  )
  assert.equal(fail('192.0.2.1', 'ann'), 90)
  pass(90_000)
  assert.equal(fail('192.0.2.1', 'ann'), undefined)
  assert.equal(fail('192.0.2.1', 'ann'), 90)
})

test('a guesser locks out no client elsewhere, nor at once the others at the same address', () => {
  const { fail } = start()
  assert.equal(
    timesUntilRejected(() => fail('192.0.2.1', 'ann')),
    10,
  )
  assert.equal(fail('192.0.2.2', 'ann'), undefined)
  assert.equal(fail('192.0.2.1', 'bob'), undefined)
})

test('fifty for an address, over all accounts and wrong tokens', () => {
  const { fail, wrongToken } = start()
  for (let i = 0; i < 30; i++) assert.equal(fail('192.0.2.1', `account ${i}`), undefined)
  assert.equal(
    timesUntilRejected(() => wrongToken('192.0.2.1')),
    20,
  )
  assert.equal(fail('192.0.2.1', 'another'), 18)
  assert.equal(fail('192.0.2.2', 'another'), undefined)
})

test('an attempt that succeeds is not counted, and those before it still are', () => {
  const { limiter, fail } = start()
  for (let i = 0; i < 9; i++) fail('192.0.2.1', 'ann')
  for (let i = 0; i < 100; i++) limiter.beginAttempt('192.0.2.1', 'ann').succeeded()
  assert.equal(fail('192.0.2.1', 'ann'), undefined)
  assert.equal(fail('192.0.2.1', 'ann'), 90)
})

test('concurrent attempts count before the first of them is checked', () => {
  const { limiter, fail } = start()
  const attempts = Array.from({ length: 10 }, () => limiter.beginAttempt('192.0.2.1', 'ann'))
  assert.equal(fail('192.0.2.1', 'ann'), 90)
  attempts[3]?.succeeded()
  assert.equal(fail('192.0.2.1', 'ann'), undefined)
})

test('an attempt that is rejected for its account does not count against its address', () => {
  const { fail } = start()
  for (let i = 0; i < 500; i++) fail('192.0.2.1', 'ann')
  assert.equal(
    timesUntilRejected(() => fail('192.0.2.1', `${Math.random()}`)),
    40,
  )
})

test('failures are counted where requests have no limit', () => {
  const { wrongToken } = start(0)
  assert.equal(
    timesUntilRejected(() => wrongToken('192.0.2.1')),
    50,
  )
})

test('all addresses of one client have one key', () => {
  const same: [key: string, ...addresses: string[]][] = [
    [
      'address:192.0.2.1',
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '0:0:0:0:0:ffff:c000:0201',
    ],
    ['address:2001:db8:0:7::/64', '2001:db8:0:7::1', '2001:DB8:0:7:ffff:ffff:ffff:ffff', '2001:0db8:0:0007::'],
    ['address:2001:db8:0:0::/64', '2001:db8::1', '2001:db8::', '2001:db8:0:0:1::'],
    ['address:0:0:0:0::/64', '::1', '::', '0::1'],
    ['address:fe80:0:0:0::/64', 'fe80::1%eth0', 'fe80::2%lo'],
    ['address:64:ff9b:0:0::/64', '64:ff9b::192.0.2.1'],
    ['address:1:2:3:4::/64', '1:2:3:4:5:6:7:8', '1:2:3:4::8', '1:2:3:4:5:6:192.0.2.1'],
    ['address:local', undefined as never],
  ]
  for (const [key, ...addresses] of same)
    for (const address of addresses) assert.equal(addressKey(address), key, address)
})
