import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { FailingDatabase } from './failing-database.ts'
import type { FakeClock } from './fake-clock.ts'

/**
 * A stop waits a while for attempts that hang, or that a dead database will never finish, by a clock that only the test advances: this
 * advances it.
 * @param database if given, advances only once it is dead
 */
export async function stopWithFakeClock(
  clock: FakeClock,
  stop: Promise<void>,
  database?: FailingDatabase,
): Promise<void> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  stop.then(over, over)
  for (let turns = 1; !isOver; turns++) {
    await (turns < 1_000 ? turn() : delay(1)) // by then it waits for a server: busy turns use a core
    if (database?.isFailed === false || turns % 10 !== 0) continue
    clock.whenIdle = async () => {}
    await clock.advance(1_000)
  }
  return stop
}
