import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Outcome, thrownOutcome } from '#core/delivery.ts'
import type { ReminderHealth } from './health.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Sends a heartbeat to an external monitor (a dead man's switch) once a minute, while the server is healthy. The monitor alerts also when
 * the machine is off or the process hangs, which no server can report itself.
 */
const everyMs = 60_000
/** After startup, when overdue reminders have fired. */
const firstMs = 5_000
const timeoutMs = 10_000

export function startHeartbeat({
  clock,
  check,
  send,
  log,
}: {
  clock: Clock
  check: () => Promise<ReminderHealth>
  /** Sends one heartbeat. A throw is a failure; neither its message nor the reason of an outcome holds a secret. */
  send: (signal: AbortSignal) => Promise<Outcome>
  log: Logger
}): Loop {
  const stopping = new AbortController()
  let nextAt = clock.now() + firstMs
  let isPaused = false
  let isFailing = false

  const loop = startLoop('heartbeat', {
    clock,
    log,
    async nextAt() {
      nextAt = Math.min(nextAt, clock.now() + everyMs) // a clock that was set back must not stop the heartbeat
      return nextAt
    },
    async work() {
      nextAt = clock.now() + everyMs
      const { status, database } = await check()
      const isWorking = status === 'ok' && database === 'ok'
      if (!isWorking && !isPaused) log.warn('heartbeat paused while the server is unhealthy')
      if (isWorking && isPaused) log.info('heartbeat resumed: the server is healthy again')
      isPaused = !isWorking
      if (isWorking) await sendWithTimeout()
      return 1
    },
  })

  async function sendWithTimeout() {
    const timeout = new AbortController()
    const answered = new AbortController()
    clock.sleep(timeoutMs, answered.signal).then(() => timeout.abort())
    const signal = AbortSignal.any([stopping.signal, timeout.signal])
    const outcome = await send(signal).catch(thrownOutcome)
    answered.abort('over')
    if (stopping.signal.aborted) return
    if (outcome === 'sent' && isFailing) log.info('heartbeat recovered')
    // The address is never logged: it holds a token.
    if (outcome !== 'sent' && !isFailing) log.warn({ reason: outcome.reason }, 'heartbeat failed')
    isFailing = outcome !== 'sent'
  }

  return {
    ...loop,
    stop() {
      stopping.abort()
      return loop.stop()
    },
  }
}
