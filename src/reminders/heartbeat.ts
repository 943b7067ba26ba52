import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Outcome, thrownOutcome } from '#core/delivery.ts'
import type { ReminderHealth } from './health.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * A sign of life for a dead man's switch outside: once a minute, while the bell works. Whoever waits for it hears also of what cannot
 * tell of itself: a machine that is off, a process that hangs.
 */
const everyMs = 60_000
/** After the start, when what was overdue has fired. */
const firstMs = 5_000
const timeoutMs = 10_000

export function startHeartbeat({
  clock,
  look,
  beat,
  log,
}: {
  clock: Clock
  look: () => Promise<ReminderHealth>
  /** Says it once. A throw is a failure; its message, as the reason of an outcome, holds no secret. */
  beat: (signal: AbortSignal) => Promise<Outcome>
  log: Logger
}): Loop {
  const stopping = new AbortController()
  let nextAt = clock.now() + firstMs
  let isWithheld = false
  let isUnheard = false

  const loop = startLoop('heartbeat', {
    clock,
    log,
    async nextAt() {
      nextAt = Math.min(nextAt, clock.now() + everyMs) // a clock that was set back must not silence it
      return nextAt
    },
    async work() {
      nextAt = clock.now() + everyMs
      const { status, database } = await look()
      const isWorking = status === 'ok' && database === 'ok'
      if (!isWorking && !isWithheld) log.warn('no heartbeat is sent while the bell does not work as it should')
      if (isWorking && isWithheld) log.info('the bell works again, and so the heartbeat is sent')
      isWithheld = !isWorking
      if (isWorking) await send()
      return 1
    },
  })

  async function send() {
    const timeout = new AbortController()
    const answered = new AbortController()
    clock.sleep(timeoutMs, answered.signal).then(() => timeout.abort())
    const signal = AbortSignal.any([stopping.signal, timeout.signal])
    const outcome = await beat(signal).catch(thrownOutcome)
    answered.abort('over')
    if (stopping.signal.aborted) return
    if (outcome === 'sent' && isUnheard) log.info('the heartbeat is heard again')
    // Never the address: it holds a token.
    if (outcome !== 'sent' && !isUnheard) log.warn({ reason: outcome.reason }, 'the heartbeat is not heard')
    isUnheard = outcome !== 'sent'
  }

  return {
    ...loop,
    stop() {
      stopping.abort()
      return loop.stop()
    },
  }
}
