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

export interface Once {
  readonly answer: IdempotencyRecord
  /** It was done before, and this is what it was answered then. */
  readonly isReplayed: boolean
}

/**
 * Does a wish once, however often it is asked for under one key. The key, the effect and the answer are of one transaction.
 * Actions do not know of it: the context that `act` is handed runs what they do in that transaction, and lets the bell wait for
 * its COMMIT.
 *
 * Only a success is kept. What was refused has left no trace, and may be tried again under the same key.
 * @throws Problem `invalid` when the key was used for another request, `conflict` when that one takes long, and what `act` throws
 */
export async function once(
  ctx: Context,
  { userId }: Actor,
  request: RequestKey,
  act: (ctx: Context) => Promise<IdempotencyRecord>,
): Promise<Once> {
  // Of the last run of the wish, which may be its second.
  const run: { alarms: number[]; waitingIn: Db | null } = { alarms: [], waitingIn: null }
  let done: Once
  try {
    done = await ctx.transact(async (tx, now) => {
      run.alarms = []
      run.waitingIn = tx
      const kept = await reserveKey(tx, userId, request, now)
      run.waitingIn = null
      if (kept) return { answer: kept, isReplayed: true }
      const answer = await act({
        ...ctx,
        db: tx,
        transact: (wish) => wish(tx, now),
        wake: (at) => run.alarms.push(at),
      })
      await saveResponse(tx, userId, request.key, answer)
      return { answer, isReplayed: false }
    })
  } catch (error) {
    const cause = error instanceof Problem && error.extras.cause
    if (!run.waitingIn || dialectOf(run.waitingIn).classify(cause) !== 'busy') throw error
    throw new Problem('conflict', 'A request with this Idempotency-Key is still underway.', { retryAfterMs: 1_000 })
  }
  for (const at of run.alarms) ctx.wake(at)
  return done
}

/**
 * The same for what takes many transactions, and does nothing a second time that is done already: its answer is kept after it, in one
 * of its own. A crash in between leaves the key free, and whoever asks again has the rest done. Two at once share the work.
 * @throws Problem `invalid` when the key was used for another request, and what `act` throws
 */
export async function idempotentInChunks(
  ctx: Context,
  { userId }: Actor,
  request: RequestKey,
  act: () => Promise<IdempotencyRecord>,
): Promise<Once> {
  const kept = await ctx.transact((tx, now) => findResponse(tx, userId, request, now))
  if (kept) return { answer: kept, isReplayed: true }
  const answer = await act()
  return ctx.transact(async (tx, now) => {
    const other = await reserveKey(tx, userId, request, now)
    if (other) return { answer: other, isReplayed: true }
    await saveResponse(tx, userId, request.key, answer)
    return { answer, isReplayed: false }
  })
}
