import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Recomputes alarms in the background after a change of default reminders or time zone. Other work runs between two steps, and a stop waits for
 * the current step only. Once a minute it checks for walks that another replica or a request has left unfinished.
 *
 * It knows nothing about alarms.
 */
export interface RecomputeWalk {
  /** Such a walk goes before the others. */
  isBehind(): boolean
  step(): Promise<{
    readonly tasks: number
    readonly tasksBefore: number
    /** Ids of tasks whose expiry is another instant now. */
    readonly moved: readonly number[]
    readonly isDone: boolean
  }>
}

/** In sleeps of the loop, which last a second at most: a minute. */
const sleepsBetweenChecks = 60
const progressTasks = 100_000
/** Moved tasks that one log line names. */
const maxLoggedIds = 20

export function startRecompute({
  clock,
  log,
  findWalks,
}: {
  clock: Clock
  log: Logger
  /** Returns the unfinished walks. */
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
    // A server without tasks logs nothing.
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
      checkAt = Math.min(checkAt, clock.now() + everyMs) // a clock that was set back must not delay the check
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
      // A walk that fails goes behind the others, so that it does not delay them.
      let isDone = false
      try {
        const step = await walk.step()
        isDone = step.isDone
        if (!isDone) walks.unshift(walk)
        report(step.tasks, step.tasksBefore)
        if (step.moved.length > 0)
          log.info(
            { tasks: step.moved.slice(0, maxLoggedIds), count: step.moved.length },
            'tasks expire at another instant: their day or local time is the same',
          )
      } catch (error) {
        walks.push(walk)
        throw error
      }
      // Requests that waited for this step then share a transaction with each other, and not with the next step.
      await turn()
      await turn()
      return 1
    },
  })
}
