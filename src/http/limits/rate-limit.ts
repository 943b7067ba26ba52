import { isIPv6 } from 'node:net'
import type { FastifyReply } from 'fastify'
import { Problem } from '#core/problem.ts'
import { type ChannelSettings, createLimiter, type Verdict } from './gcra.ts'

/**
 * Who asks too often, or guesses, has to wait: 429 with Retry-After.
 *
 *   request ──▶ caller known? yes ──▶ quota a minute of its own, by its token or session
 *          └──▶ no ─────────────────▶ a tenth of it, by its address
 *
 *   wrong password, wrong token ────▶ 10 in 15 minutes for an account from one address, 50 for an address
 *
 * Two limiters for requests and two for failures, so that no flood of addresses costs a known caller its place. Nothing is counted
 * against an account alone: who fails on purpose from elsewhere locks nobody out.
 *
 * A request costs 0.5 µs for its key, what is left and the two headers, of 25 to 40.
 */
export interface RateLimiter {
  /**
   * Counts a request, and says in its answer what is left (draft-ietf-httpapi-ratelimit-headers-11).
   * @throws Problem `rate-limited`
   */
  request(reply: Pick<FastifyReply, 'header'>, caller: Caller): void
  /**
   * Before an attempt to sign in is looked at. It counts as failed from now on and until it is told that it was not: of a thousand at
   * once none is judged before all were let in.
   * @param account what was typed as its name
   * @throws Problem `rate-limited`
   */
  mayTry(address: string, account: string): Attempt
  /**
   * A token that is not known, or a link, by which somebody may be guessing. To be asked after it was looked for: a token that is good is
   * good, whatever others do at the same address.
   * @throws Problem `rate-limited`
   */
  failure(address: string): void
}

export interface Caller {
  /** `token:12`, `session:…`, or for one who is not known that of `addressKey`. */
  readonly key: string
  readonly isKnown: boolean
}

export interface Attempt {
  /** It was no failure, or nobody came to judge it. Those before it stay. */
  succeeded(): void
}

export interface RateLimiterOptions {
  /** Requests a minute of a known caller; 0 for as many as it likes. */
  readonly perMinute: number
  /** ms, monotonic. */
  readonly now?: () => number
  readonly onRefused?: () => void
}

const minuteMs = 60_000
const unknownShare = 0.1
const failuresMs = 15 * minuteMs
const maxFailures = { ofAccount: 10, ofAddress: 50 }
/** Of what was typed as an account: nobody chooses how much memory it takes here. */
const maxAccountLength = 200

export function createRateLimiter({
  perMinute,
  now = () => performance.now(),
  onRefused = () => {},
}: RateLimiterOptions): RateLimiter {
  const isLimited = perMinute > 0
  const known = createPolicy('caller', perMinute)
  const unknown = createPolicy('address', Math.max(1, Math.round(perMinute * unknownShare)))
  const ofAccounts = createLimiter({ quota: maxFailures.ofAccount, windowMs: failuresMs })
  const ofAddresses = createLimiter({ quota: maxFailures.ofAddress, windowMs: failuresMs })

  function refuse({ retryAfterMs }: Verdict, what: string): never {
    onRefused()
    const wait = Math.ceil(retryAfterMs / 1_000)
    throw new Problem('rate-limited', `${what}. Try again in ${wait} s.`, { retryAfterMs })
  }

  return {
    request(reply, { key, isKnown }) {
      if (!isLimited) return
      const { name, policy, header, limiter } = isKnown ? known : unknown
      const verdict = limiter.take(key, now())
      reply.header('ratelimit-policy', header)
      reply.header('ratelimit', toRateLimit(name, policy, verdict))
      if (!verdict.isAllowed) refuse(verdict, 'Too many requests')
    },
    mayTry(address, account) {
      const ofAddress = addressKey(address)
      const pair = `${account.slice(0, maxAccountLength)} ${ofAddress}`
      const at = now()
      for (const verdict of [ofAddresses.peek(ofAddress, at), ofAccounts.peek(pair, at)])
        if (!verdict.isAllowed) refuse(verdict, 'Too many attempts have failed')
      ofAddresses.take(ofAddress, at)
      ofAccounts.take(pair, at)
      return {
        succeeded() {
          ofAddresses.giveBack(ofAddress)
          ofAccounts.giveBack(pair)
        },
      }
    },
    failure(address) {
      const verdict = ofAddresses.take(addressKey(address), now())
      if (!verdict.isAllowed) refuse(verdict, 'Too many tokens were wrong')
    },
  }
}

function createPolicy(name: string, quota: number) {
  const policy = { quota, windowMs: minuteMs }
  return { name, policy, header: toRateLimitPolicy(name, policy), limiter: createLimiter(policy) }
}

/** `"caller";q=6000;w=60`, a list of one item in the structured fields of RFC 9651. */
export function toRateLimitPolicy(name: string, { quota, windowMs }: ChannelSettings): string {
  return `"${name}";q=${quota};w=${Math.ceil(windowMs / 1_000)}`
}

/**
 * `"caller";r=5999;t=1`. The draft's `t` is the time in which no more than `r` can be used: here until there is one more, in whole
 * seconds. Not until all is there again: who takes `r / t` for its pace would come to a halt at the end of a quota that fills evenly.
 */
export function toRateLimit(
  name: string,
  { quota, windowMs }: ChannelSettings,
  { remaining, retryAfterMs }: Verdict,
): string {
  return `"${name}";r=${remaining};t=${Math.ceil((retryAfterMs || windowMs / quota) / 1_000)}`
}

/**
 * Whom an address stands for, as a key: of IPv6 the /64, all of which one customer has; an IPv4 address, however it is written.
 * @param address undefined for a socket in the file system
 */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return 'address:local'
  if (!isIPv6(address)) return `address:${address}`
  const groups = groupsOf(address)
  const [, , , , , sixth, high = 0, low = 0] = groups
  if (sixth === 0xffff && groups.slice(0, 5).every((group) => group === 0))
    return `address:${[high >> 8, high & 255, low >> 8, low & 255].join('.')}`
  return `address:${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/** The eight groups of an IPv6 address, without its zone (`%eth0`). */
function groupsOf(address: string): number[] {
  const plain = address.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...[a, b, c, d]) => {
    const hex = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16)
    return `${hex(a, b)}:${hex(c, d)}`
  })
  const [before = [], after = []] = plain
    .split('::')
    .map((side) => (side === '' ? [] : side.split(':').map((group) => Number.parseInt(group, 16))))
  return [...before, ...Array(8 - before.length - after.length).fill(0), ...after]
}
