import { sessionMs } from '#actions/sign-in.ts'
import type { TokenRecord } from '#core/account.ts'
import type { Transact } from '#store/engine/transact.ts'
import { extendSession, markTokenUsed } from '#store/tokens.ts'

/** Records when a token was last used, and prolongs sessions, beside the request: no request waits for it, and losing it does no harm. */
export interface TokenUse {
  record(token: TokenRecord, now: number): void
  /** Waits for the writes. */
  close(): Promise<void>
}

/** To the minute, as `TokenRecord.lastUsedAt` says. */
const recordEveryMs = 60_000
const prolongEveryMs = 86_400_000

export function createTokenUse({ transact }: { transact: Transact }): TokenUse {
  const writing = new Set<Promise<void>>()
  return {
    record(token, now) {
      const { id, lastUsedAt } = token
      if (lastUsedAt !== null && now - lastUsedAt < recordEveryMs) return
      const write = transact(async (tx) => {
        await markTokenUsed(tx, id, now)
        if (isProlongationDue(token, now)) await extendSession(tx, id, now + sessionMs)
      }).then(
        () => {},
        () => {},
      )
      writing.add(write)
      write.then(() => writing.delete(write))
    },
    async close() {
      await Promise.all(writing)
    },
  }
}

/** A session lasts as long as it is used; its end is moved on once a day. */
export function isProlongationDue({ kind, expiresAt }: TokenRecord, now: number): boolean {
  return kind === 'session' && expiresAt !== null && expiresAt - now < sessionMs - prolongEveryMs
}
