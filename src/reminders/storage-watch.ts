import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { nextAlarmAt } from '#store/alarms.ts'
import type { Store } from '#store/engine/open.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Maintains the storage of an idle server:
 *
 *   the last write failed ──▶ a tiny probe write, so that a server without requests becomes healthy again
 *   no write for a while ──▶ a checkpoint, so that a copy of the file alone is complete
 *   at each check ──▶ whether the open file is still the one at its path
 */
const probeEveryMs = 5_000
/** Time without a write before a checkpoint. The database of a busy server checkpoints as its log grows. */
const quietMs = 5_000
/** A checkpoint usually takes 30 ms at most: no reminder may be due meanwhile. One that is overdue for longer cannot fire. */
const clearMs = 1_000

export function startStorageWatch({
  store,
  clock,
  log,
}: {
  store: Pick<Store, 'db' | 'dialect' | 'storage' | 'probe'>
  clock: Clock
  log: Logger
}): Loop {
  const { storage } = store
  const { file } = store.dialect
  let probeAt = 0
  /** Rows changed, as of the last check, and as of the last checkpoint. */
  let seen = -1
  let copied = -1
  let quietAt = 0

  return startLoop('storage', {
    clock,
    log,
    async nextAt() {
      storage.fault()
      const now = clock.now()
      let next = Number.POSITIVE_INFINITY
      if (storage.isWriteFailing()) {
        probeAt = Math.min(probeAt, now + probeEveryMs) // a clock that was set back must not delay the probe
        next = probeAt
      }
      if (!file) return next
      const changes = file.changes()
      if (changes !== seen) [seen, quietAt] = [changes, now + quietMs]
      quietAt = Math.min(quietAt, now + quietMs)
      return seen === copied ? next : Math.min(next, quietAt)
    },
    async work() {
      const now = clock.now()
      if (storage.isWriteFailing() && probeAt <= now) {
        probeAt = now + probeEveryMs
        await store.probe().catch(() => {}) // the storage notes the failure, and logs it once
      }
      if (file && seen !== copied && quietAt <= now) {
        const alarmAt = await nextAlarmAt(store.db)
        const isClear = alarmAt === null || Math.abs(alarmAt - now) > clearMs
        if (isClear && file.changes() === seen && file.checkpoint()) copied = seen
        else quietAt = now + clearMs
      }
      return 1
    },
  })
}
