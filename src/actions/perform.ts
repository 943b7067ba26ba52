import type { Db } from '#store/schema.ts'
import type { Context } from './context.ts'

/** Reports when a reminder or delivery becomes due, in ms since 1970; null for never. */
export type WakeAt = (at: number | null) => void

/** Runs a transaction and, after its commit, wakes the loops for the earliest instant that it reported. */
export async function perform<T>(
  { transact, wake }: Context,
  work: (tx: Db, now: number, wakeAt: WakeAt) => Promise<T>,
): Promise<T> {
  let earliest = Number.POSITIVE_INFINITY
  const result = await transact((tx, now) =>
    work(tx, now, (at) => {
      if (at !== null && at < earliest) earliest = at
    }),
  )
  if (earliest < Number.POSITIVE_INFINITY) wake(earliest)
  return result
}
