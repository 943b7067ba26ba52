import { afterAttempt, assumeTryingSince, isRateLimit, type Outcome } from '#core/delivery.ts'
import type { Message, MessageItem } from '#core/notification.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import type { OpenChannel } from './channel-registry.ts'

/** From claims to what is said, and from what came of it to how they are settled. */

/** A claim, and what is to be said of it. */
export interface Live {
  readonly claim: Claim
  readonly item: MessageItem
}

/**
 * Takes the first claims out of a queue, and with each all that are told together with it: a group in two messages, under the one id that
 * it has, would lose its second half to a receiver that looks at ids.
 */
export function takeWhole(queue: Claim[], count: number): Claim[] {
  const taken = queue.splice(0, count)
  const groups = new Set(taken.flatMap(({ groupId }) => groupId ?? []))
  if (groups.size === 0) return taken
  const isOfThem = ({ groupId }: Claim) => groupId !== null && groups.has(groupId)
  taken.push(...queue.filter(isOfThem))
  const rest = queue.filter((claim) => !isOfThem(claim))
  queue.splice(0, queue.length, ...rest)
  return taken
}

/** What is told together: a message for each group, and for each that is of none. */
export function toMessages(live: readonly Live[]): (readonly Live[])[] {
  const groups = new Map<string, Live[]>()
  const messages: Live[][] = []
  for (const one of live) {
    const { groupId } = one.claim
    const group = groupId === null ? undefined : groups.get(groupId)
    if (group) {
      group.push(one)
      continue
    }
    const message = [one]
    if (groupId !== null) groups.set(groupId, message)
    messages.push(message)
  }
  return messages
}

export function toMessage(told: readonly Live[], sentAt: number): Message {
  const [{ claim, item }, ...others] = told as [Live, ...Live[]]
  const { id, groupId, attempt, repeats } = claim
  // What is told again is another message: a receiver that has seen the first must not take it for the same.
  const deliveryId = repeats === 0 ? (groupId ?? id) : `${groupId ?? id}-${repeats}`
  return { ...item, deliveryId, attempt, sentAt, others: others.map((one) => one.item) }
}

/** How an attempt leaves a delivery: what was sent may have to be told again. */
export function toAttemptResult(
  { record: { repeat } }: OpenChannel,
  claim: Claim,
  outcome: Outcome,
  { startedAt, endedAt, chance }: { startedAt: number; endedAt: number; chance: number },
): Omit<DeliveryResult, 'claim' | 'latencyMs'> {
  const { backoffFrom, repeats, dueAt } = claim
  const attempt = claim.attempt - backoffFrom
  // Waits that are not its own do not count: behind others, for a held channel, for a server that was off.
  const waitedMs = Math.max(0, startedAt - dueAt)
  const tryingSinceAt =
    claim.tryingSinceAt === null
      ? assumeTryingSince(attempt, startedAt)
      : Math.min(claim.tryingSinceAt + waitedMs, startedAt)
  const attemptResult = afterAttempt({ attempt, tryingSinceAt }, outcome, endedAt, chance)
  // A rate limit says nothing of this notification, so its back-off does not grow.
  if (attemptResult.state === 'pending')
    return { ...attemptResult, tryingSinceAt, ...(isRateLimit(outcome) && { backoffFrom: backoffFrom + 1 }) }
  if (attemptResult.state !== 'sent' || !repeat || repeats >= repeat.max) return attemptResult
  // Told again, it has all its attempts again.
  const anew = { backoffFrom: claim.attempt, tryingSinceAt: null }
  return { ...attemptResult, nextAt: endedAt + repeat.everyMs, repeats: repeats + 1, ...anew }
}
