import { isIPv6 } from 'node:net'
import type { FastifyReply } from 'fastify'
import ipaddr from 'ipaddr.js'
import { Problem } from '#core/problem.ts'
import { type Address, parseAddress } from '#ip-address.ts'
import { createLimiter, type RatePolicy, type Verdict } from './gcra.ts'

/**
 * Rate limits: a caller that sends too many requests, or guesses credentials, gets 429 with Retry-After.
 *
 *   request ──▶ caller known? yes ──▶ its own quota a minute, by its token or session
 *          └──▶ no ─────────────────▶ a tenth of it, by its address
 *
 *   wrong password, wrong token ────▶ 10 in 15 minutes for an account from one address, 50 for an address
 *
 * Requests have two limiters and failures two, so a flood of addresses evicts no known caller. No failure counts against an account
 * alone: failing on purpose from elsewhere locks no user out.
 *
 * The key, the limit and the two headers cost 0.5 µs of the 25 to 40 of a request.
 */
export interface RateLimiter {
  /**
   * Counts a request, and sets the headers that say what is left (draft-ietf-httpapi-ratelimit-headers-11).
   * @throws Problem `rate-limited`
   */
  request(reply: Pick<FastifyReply, 'header'>, caller: RateLimitedCaller): void
  /**
   * Call it before an attempt to sign in is checked. The attempt counts as failed until `succeeded` is called: otherwise a thousand at
   * once would all begin before the first result.
   * @param account the name that was entered
   * @throws Problem `rate-limited`
   */
  beginAttempt(address: string, account: string): SignInAttempt
  /**
   * Counts an unknown token or link, which may be a guess. Call it after the lookup: a valid token works, whatever other clients at the
   * same address do.
   * @throws Problem `rate-limited`
   */
  failure(address: string): void
}

export interface RateLimitedCaller {
  /** `token:12`, `session:…`, or for an unknown caller the key by `addressKey`. */
  readonly key: string
  readonly isKnown: boolean
}

export interface SignInAttempt {
  /** Takes this attempt back: it was no failure, or was not checked. Earlier failures stay. */
  succeeded(): void
}

export interface RateLimiterOptions {
  /** Requests a minute of a known caller; 0 for no limit. */
  readonly perMinute: number
  /** ms, monotonic. */
  readonly now?: () => number
  readonly onRejected?: () => void
}

const minuteMs = 60_000
const unknownShare = 0.1
const failuresMs = 15 * minuteMs
const maxFailures = { ofAccount: 10, ofAddress: 50 }
/** The name is typed by the caller, who must not choose how much memory it takes here. */
const maxAccountLength = 200

export function createRateLimiter({
  perMinute,
  now = () => performance.now(),
  onRejected = () => {},
}: RateLimiterOptions): RateLimiter {
  const isLimited = perMinute > 0
  const known = createPolicy('caller', perMinute)
  const unknown = createPolicy('address', Math.max(1, Math.round(perMinute * unknownShare)))
  const ofAccounts = createLimiter({ quota: maxFailures.ofAccount, windowMs: failuresMs })
  const ofAddresses = createLimiter({ quota: maxFailures.ofAddress, windowMs: failuresMs })

  function reject({ retryAfterMs }: Verdict, reason: string): never {
    onRejected()
    const wait = Math.ceil(retryAfterMs / 1_000)
    throw new Problem('rate-limited', `${reason}. Try again in ${wait} s.`, { retryAfterMs })
  }

  return {
    request(reply, { key, isKnown }) {
      if (!isLimited) return
      const { name, policy, header, limiter } = isKnown ? known : unknown
      const verdict = limiter.take(key, now())
      reply.header('ratelimit-policy', header)
      reply.header('ratelimit', toRateLimit(name, policy, verdict))
      if (!verdict.isAllowed) reject(verdict, 'Too many requests')
    },
    beginAttempt(address, account) {
      const ofAddress = addressKey(address)
      const pair = `${account.slice(0, maxAccountLength)} ${ofAddress}`
      const at = now()
      for (const verdict of [ofAddresses.peek(ofAddress, at), ofAccounts.peek(pair, at)])
        if (!verdict.isAllowed) reject(verdict, 'Too many attempts have failed')
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
      if (!verdict.isAllowed) reject(verdict, 'Too many tokens were wrong')
    },
  }
}

function createPolicy(name: string, quota: number) {
  const policy = { quota, windowMs: minuteMs }
  return { name, policy, header: toRateLimitPolicy(name, policy), limiter: createLimiter(policy) }
}

/** `"caller";q=6000;w=60`, a list of one item in the structured fields of RFC 9651. */
function toRateLimitPolicy(name: string, { quota, windowMs }: RatePolicy): string {
  return `"${name}";q=${quota};w=${Math.ceil(windowMs / 1_000)}`
}

/**
 * `"caller";r=5999;t=1`. The draft's `t` is the time in which no more than `r` can be used: here until there is one more, in whole
 * seconds. Rejected: until the quota is full. A client that sends at the rate `r / t` would come to a halt, since the quota fills evenly.
 */
function toRateLimit(name: string, { quota, windowMs }: RatePolicy, { remaining, retryAfterMs }: Verdict): string {
  return `"${name}";r=${remaining};t=${Math.ceil((retryAfterMs || windowMs / quota) / 1_000)}`
}

/**
 * The key of a client's address: the /64 of an IPv6 address, since one customer has all of it; an IPv4 address in any notation.
 * @param address undefined for a Unix socket
 */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return 'address:local'
  if (!isIPv6(address)) return `address:${address}`
  const parsed = parseAddress(address) as Address
  if (parsed instanceof ipaddr.IPv4) return `address:${parsed}`
  const network = parsed.parts.slice(0, 4).map((group) => group.toString(16))
  return `address:${network.join(':')}::/64`
}
