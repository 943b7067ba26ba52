import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'

/**
 * Sleep until the next due instant, then work. Knows nothing of tasks.
 *
 *   look: when is something due? ──▶ now ──▶ work ──┐
 *     ▲   ▲                    └──▶ later           │
 *     │   └────────────────────────────┼────────────┘
 *     └── timer, wake(at), or the cap ◀┘ asleep
 *
 * The sleep is capped, so what the loop cannot see (another process's write, a clock that was set, a laptop that slept)
 * costs at most the cap. An error is logged when it is a new one, backed off, and never ends the loop.
 */
export interface Loop {
  /** Something is due at this instant (ms since 1970); only ever makes the sleep shorter. */
  wake(at: number): void
  /** Resolves when nothing that is due now is left to do. */
  idle(): Promise<void>
  /** When the loop last looked without an error, in ms since 1970, and the error since then. */
  health(): { lookedAt: number; error: unknown }
  stop(): Promise<void>
}

const stuckMs = 10
/** Without a reason, each abort makes an error with a stack: 14 µs, a third of the time of a server with 2,000 channels. */
const woken = 'woken'
/** The last is what a database that comes back waits for us at most: with a connection's 1.9 s, less than the 5 s promised. */
const backoffMs = [100, 500, 1_000, 2_000]

export function startLoop(
  name: string,
  {
    clock,
    log,
    nextAt,
    work,
  }: {
    clock: Clock
    log: Logger
    /** The next due instant in ms, or null. */
    nextAt: () => Promise<number | null>
    /** Called when it has come, and again until `nextAt` lies ahead. Answers how much it did. */
    work: () => Promise<number>
  },
): Loop {
  const stopping = new AbortController()
  let wokenAt = Number.POSITIVE_INFINITY
  let sleepsUntil = Number.NEGATIVE_INFINITY
  let interrupt: AbortController | undefined
  let lookedAt = clock.now()
  let lastError: unknown
  let waiting: (() => void)[] = []

  async function sleep(until: number) {
    if (until <= clock.now()) return
    interrupt = new AbortController()
    sleepsUntil = until
    for (const resolve of waiting) resolve()
    waiting = []
    await clock.sleep(until - clock.now(), interrupt.signal)
    interrupt = undefined
    sleepsUntil = Number.NEGATIVE_INFINITY
  }

  async function run() {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        wokenAt = Number.POSITIVE_INFINITY
        const next = (await nextAt()) ?? Number.POSITIVE_INFINITY
        const now = clock.now()
        // Nothing done though something was due: another process was first, or a row that cannot be worked on. No spinning.
        const isStuck = next <= now && (await work()) === 0
        lookedAt = clock.now()
        if (lastError !== undefined) log.info({ loop: name }, 'works again')
        lastError = undefined
        failures = 0
        if (stopping.signal.aborted) break
        if (isStuck) await sleep(clock.now() + stuckMs)
        else if (next > now) await sleep(Math.min(next, wokenAt, now + clock.maxSleepMs))
      } catch (error) {
        if (String(error) !== String(lastError)) log.error({ err: error, loop: name }, 'failed; will try again')
        lastError = error
        const wait = backoffMs[Math.min(failures++, backoffMs.length - 1)] as number
        if (!stopping.signal.aborted) await sleep(clock.now() + wait)
      }
    }
  }
  const running = run()

  return {
    wake(at) {
      wokenAt = Math.min(wokenAt, at)
      if (at >= sleepsUntil || lastError !== undefined) return
      sleepsUntil = Number.NEGATIVE_INFINITY // once is enough
      interrupt?.abort(woken)
    },
    idle() {
      if (interrupt && !interrupt.signal.aborted && sleepsUntil > clock.now()) return Promise.resolve()
      return new Promise((resolve) => waiting.push(resolve))
    },
    health: () => ({ lookedAt, error: lastError }),
    async stop() {
      stopping.abort(woken)
      interrupt?.abort(woken)
      await running
      for (const resolve of waiting) resolve()
    },
  }
}
