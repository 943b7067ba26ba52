import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Computes alarms anew after a change of default reminders or time zone, beside everything else: a step, then whoever waits, then the next.
 * A stop waits for the present step. Each minute it looks whether somebody has left something: another replica, or a request.
 *
 * Knows nothing of alarms.
 */
export interface RecomputeWalk {
  /** Comes before all others that are not. */
  isBehind(): boolean
  step(): Promise<{ readonly tasks: number; readonly tasksBefore: number; readonly isDone: boolean }>
}

/** Of a loop's longest sleeps, which are a second: a minute. */
const sleepsBetweenChecks = 60
const progressTasks = 100_000

export function startRecompute({
  clock,
  log,
  findWalks,
}: {
  clock: Clock
  log: Logger
  /** What there is to do, and has not been begun by this process. */
  findWalks: () => Promise<RecomputeWalk[]>
}): Loop {
  const everyMs = sleepsBetweenChecks * clock.maxSleepMs
  let walks: RecomputeWalk[] = []
  let checkAt = clock.now()
  let run = { users: 0, tasks: 0, isLogged: false, startedAt: 0 }

  function report(tasks: number, tasksBefore: number) {
    const before = run.tasks
    run.tasks += tasks + tasksBefore
    const { users, isLogged } = run
    // Where nobody has tasks there is nothing to say.
    if (run.tasks > 0 && !isLogged) {
      run.isLogged = true
      if (tasksBefore > 0) log.info({ users, tasks: tasksBefore }, 'alarm recompute resumed')
      else log.info({ users }, 'alarm recompute started: default reminders or time zone changed')
    }
    if (Math.floor(run.tasks / progressTasks) > Math.floor((before + tasksBefore) / progressTasks))
      log.info({ users, tasks: run.tasks }, 'alarm recompute in progress')
    if (walks.length === 0 && run.isLogged)
      log.info({ users, tasks: run.tasks, ms: clock.now() - run.startedAt }, 'alarm recompute finished')
  }

  return startLoop('recompute', {
    clock,
    log,
    async nextAt() {
      if (walks.length > 0) return clock.now()
      checkAt = Math.min(checkAt, clock.now() + everyMs) // a clock that was set back must not put it off
      return checkAt
    },
    async work() {
      if (walks.length === 0) {
        walks = await findWalks()
        checkAt = clock.now() + everyMs
        run = { users: walks.length, tasks: 0, isLogged: false, startedAt: clock.now() }
      }
      const walk = walks.find((one) => one.isBehind()) ?? walks[0]
      if (!walk) return 1
      walks = walks.filter((one) => one !== walk)
      // One that fails goes behind all others, and keeps none of them from its turn.
      let isDone = false
      try {
        const step = await walk.step()
        isDone = step.isDone
        if (!isDone) walks.unshift(walk)
        report(step.tasks, step.tasksBefore)
      } catch (error) {
        walks.push(walk)
        throw error
      }
      // What waited for this step writes in a transaction of its own, and not in that of the next.
      await turn()
      await turn()
      return 1
    },
  })
}
