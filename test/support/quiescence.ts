import { setImmediate as turn } from 'node:timers/promises'
import type { Dialect } from 'kysely'
import { wrapConnections } from './failing-database.ts'
import type { FakeClock } from './fake-clock.ts'

/**
 * For tests in which an operation hangs: the app is never idle then. It depends only on the database and turns of the event loop. So it is
 * at rest, and waits only for the clock, when many turns have passed without a statement.
 */
export function watchQuiescence() {
  let inFlight = 0
  let moves = 0
  /** Wakes a wait for the last statement in flight: busy turns would use a core for as long as a server takes. */
  const waiting: (() => void)[] = []
  async function count<R>(run: () => Promise<R>): Promise<R> {
    inFlight++
    moves++
    try {
      return await run()
    } finally {
      inFlight--
      moves++
      if (inFlight === 0) for (const wake of waiting.splice(0)) wake()
    }
  }
  return {
    /** Passed as `wrapDatabase`. */
    wrap: (dialect: Dialect): Dialect => wrapConnections(dialect, (_, run) => count(run), count),
    /** From here on this clock waits for rest, and not until the app is idle. */
    rule(clock: FakeClock) {
      clock.whenIdle = async () => {
        for (let before = -1; inFlight > 0 || before !== moves; ) {
          if (inFlight > 0) await new Promise<void>((resolve) => waiting.push(resolve))
          before = moves
          for (let i = 0; i < 25; i++) await turn()
        }
      }
    },
  }
}
