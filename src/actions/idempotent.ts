import type { Actor } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import {
  findResponse,
  type IdempotencyRecord,
  type RequestKey,
  reserveKey,
  saveResponse,
} from '#store/idempotency-keys.ts'
import type { Db } from '#store/schema.ts'
import type { Context } from './context.ts'

export interface IdempotentResult {
  readonly record: IdempotencyRecord
  /** The request was processed before; this is the response of that time. */
  readonly isReplayed: boolean
}

/**
 * Performs a request once, however often it is repeated with the same key. One transaction holds the key, the effect and the response.
 * Actions need not know: the context that `action` receives runs them in that transaction, and defers their wake-ups until the COMMIT.
 *
 * Only a success is recorded. A request that failed left no trace, and may be repeated with the same key.
 * @throws Problem `invalid` when the key was used for another request, `conflict` when that one takes long, and what `action` throws
 */
export async function performIdempotently(
  ctx: Context,
  { userId }: Actor,
  request: RequestKey,
  action: (ctx: Context) => Promise<IdempotencyRecord>,
): Promise<IdempotentResult> {
  // The state of the last run: the store may run the transaction twice.
  const run: { alarms: number[]; waitingIn: Db | null } = { alarms: [], waitingIn: null }
  let result: IdempotentResult
  try {
    result = await ctx.transact(async (tx, now) => {
      run.alarms = []
      run.waitingIn = tx
      const earlier = await reserveKey(tx, userId, request, now)
      run.waitingIn = null
      if (earlier) return { record: earlier, isReplayed: true }
      const record = await action({
        ...ctx,
        db: tx,
        transact: (work) => work(tx, now),
        wake: (at) => run.alarms.push(at),
      })
      await saveResponse(tx, userId, request.key, record)
      return { record, isReplayed: false }
    })
  } catch (error) {
    const cause = error instanceof Problem && error.extras.cause
    if (!run.waitingIn || dialectOf(run.waitingIn).classify(cause) !== 'busy') throw error
    throw new Problem('conflict', 'A request with this Idempotency-Key is still in progress.', { retryAfterMs: 1_000 })
  }
  for (const at of run.alarms) ctx.wake(at)
  return result
}

/**
 * The same for an action of many transactions that skips the work already done. Its response is recorded afterwards, in a transaction of
 * its own. A crash in between leaves the key free, and a repeated request does the rest. Two at once share the work.
 * @throws Problem `invalid` when the key was used for another request, and what `action` throws
 */
export async function performIdempotentlyInChunks(
  ctx: Context,
  { userId }: Actor,
  request: RequestKey,
  action: () => Promise<IdempotencyRecord>,
): Promise<IdempotentResult> {
  const earlier = await ctx.transact((tx, now) => findResponse(tx, userId, request, now))
  if (earlier) return { record: earlier, isReplayed: true }
  const record = await action()
  return ctx.transact(async (tx, now) => {
    const other = await reserveKey(tx, userId, request, now)
    if (other) return { record: other, isReplayed: true }
    await saveResponse(tx, userId, request.key, record)
    return { record, isReplayed: false }
  })
}
