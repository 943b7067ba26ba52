import { afterAttempt, assumeTryingSince, isRateLimit, type Outcome } from '#core/delivery.ts'
import type { Message, MessageItem } from '#core/notification.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import type { OpenChannel } from './channel-registry.ts'

/** Turns claims into messages, and outcomes into delivery results. */

/** A claim with the contents of its message. */
export interface Live {
  readonly claim: Claim
  readonly item: MessageItem
}

/**
 * Takes the first claims out of a queue, with all claims of the same groups. A group has one id: in two messages, a receiver that
 * deduplicates by id would lose the second half.
 */
export function takeWithGroups(queue: Claim[], count: number): Claim[] {
  const taken = queue.splice(0, count)
  const groups = new Set(taken.flatMap(({ groupId }) => groupId ?? []))
  if (groups.size === 0) return taken
  const isInGroups = ({ groupId }: Claim) => groupId !== null && groups.has(groupId)
  taken.push(...queue.filter(isInGroups))
  const rest = queue.filter((claim) => !isInGroups(claim))
  queue.splice(0, queue.length, ...rest)
  return taken
}

/** One message for each group, and for each claim without a group. */
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

export function toMessage(items: readonly Live[], sentAt: number): Message {
  const [{ claim, item }, ...others] = items as [Live, ...Live[]]
  const { id, groupId, attempt, repeats } = claim
  // A repeat is another message: a receiver that deduplicates must not drop it.
  const deliveryId = repeats === 0 ? (groupId ?? id) : `${groupId ?? id}-${repeats}`
  return { ...item, deliveryId, attempt, sentAt, others: others.map((one) => one.item) }
}

/** The state of a delivery after an attempt. A delivery that was sent may become due again as a repeat. */
export function toAttemptResult(
  { record: { repeat } }: OpenChannel,
  claim: Claim,
  outcome: Outcome,
  { startedAt, endedAt, chance }: { startedAt: number; endedAt: number; chance: number },
): Omit<DeliveryResult, 'claim' | 'latencyMs'> {
  const { backoffFrom, repeats, dueAt } = claim
  const attempt = claim.attempt - backoffFrom
  // Only its own waits count, not those behind other deliveries, for a held channel, or for a server that was off.
  const waitedMs = Math.max(0, startedAt - dueAt)
  const tryingSinceAt =
    claim.tryingSinceAt === null
      ? assumeTryingSince(attempt, startedAt)
      : Math.min(claim.tryingSinceAt + waitedMs, startedAt)
  const attemptResult = afterAttempt({ attempt, tryingSinceAt }, outcome, endedAt, chance)
  // A rate limit says nothing about this notification, so its back-off does not grow.
  if (attemptResult.state === 'pending')
    return { ...attemptResult, tryingSinceAt, ...(isRateLimit(outcome) && { backoffFrom: backoffFrom + 1 }) }
  if (attemptResult.state !== 'sent' || !repeat || repeats >= repeat.max) return attemptResult
  // A repeat has all attempts again.
  const fresh = { backoffFrom: claim.attempt, tryingSinceAt: null }
  return { ...attemptResult, nextAt: endedAt + repeat.everyMs, repeats: repeats + 1, ...fresh }
}
