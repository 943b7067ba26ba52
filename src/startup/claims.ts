import type { Logger } from 'pino'
import { releaseAllClaims } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'

/** An embedded database has no other server: deliveries that the previous run had claimed are due again at once. */
export async function releaseStaleClaims(store: Store, log: Logger): Promise<void> {
  const released = await store.transact((tx, now) => releaseAllClaims(tx, now)).catch(ignoreDamage(store, log))
  if (released > 0) log.warn(`${released} deliveries were in flight when the server last stopped; they are retried`)
}

/** A damaged page does not stop the startup: its deliveries wait, and all other reminders fire. The storage has logged the error. */
function ignoreDamage({ db }: Store, log: Logger) {
  return (error: unknown): 0 => {
    if (!isDamage(db, error)) throw error
    log.error(
      'deliveries that were in flight when the server last stopped cannot be released; each waits for the end of its lease',
    )
    return 0
  }
}
