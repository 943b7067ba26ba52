import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { fakeClock } from '#support/fake-clock.ts'
import { type MaintenanceTask, startMaintenance } from './maintenance.ts'

const [minuteMs, hourMs] = [60_000, 3_600_000]

/** A task with this much left to do, ten a run. */
function maintenanceTask(name: string, left: number): MaintenanceTask & { readonly runs: number[]; left: number } {
  const one = {
    name,
    left,
    runs: [] as number[],
    async run(now: number) {
      one.runs.push(now)
      const done = Math.min(one.left, 10)
      one.left -= done
      return done
    },
  }
  return one
}

test('minutes after the start, then once an hour, each task runs until nothing is left', async (t) => {
  const clock = fakeClock(0)
  const [little, much] = [maintenanceTask('little', 0), maintenanceTask('much', 35)]
  const loop = startMaintenance({ clock, maintenanceTasks: [little, much], log: pino({ level: 'silent' }) })
  t.after(() => loop.stop())
  clock.whenIdle = loop.idle
  await clock.advance(5 * minuteMs - 1)
  assert.equal(much.runs.length, 0)
  await clock.advance(1)
  assert.deepEqual([much.left, much.runs.length, little.runs.length], [0, 5, 5])
  much.left = 5
  await clock.advance(hourMs - 1)
  assert.equal(much.left, 5)
  await clock.advance(1)
  assert.equal(much.left, 0)
})

test('a failing task is logged once, retried, and does not stop the others', async (t) => {
  const clock = fakeClock(0)
  const lines: string[] = []
  let isBroken = true
  const broken: MaintenanceTask = {
    name: 'broken',
    async run() {
      if (isBroken) throw new Error('the disk is full')
      return 0
    },
  }
  const other = maintenanceTask('other', 35)
  const log = pino({ base: null }, { write: (line) => lines.push(line) })
  const loop = startMaintenance({ clock, maintenanceTasks: [broken, other], log })
  t.after(() => loop.stop())
  clock.whenIdle = loop.idle
  await clock.advance(6 * minuteMs)
  assert.equal(other.left, 0)
  assert.equal(lines.filter((line) => line.includes('broken: the disk is full')).length, 1)
  const { length } = other.runs
  await clock.advance(2_000)
  assert.ok(other.runs.length - length <= 2, 'it does not spin')
  isBroken = false
  await clock.advance(2_000)
  assert.ok(lines.some((line) => line.includes('loop recovered')))
})

test('a clock that is set back delays maintenance by an hour at most', async (t) => {
  const clock = fakeClock(1e12)
  const one = maintenanceTask('one', 5)
  const loop = startMaintenance({ clock, maintenanceTasks: [one], log: pino({ level: 'silent' }) })
  t.after(() => loop.stop())
  clock.whenIdle = loop.idle
  clock.set(0)
  await clock.advance(clock.maxSleepMs + hourMs)
  assert.equal(one.left, 0)
})
