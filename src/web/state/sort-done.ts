import type { TaskWire } from '#api/schemas/task.ts'

/**
 * Completed tasks, newest first. Those that are not loaded yet were last changed before the last loaded one, and completed before that: what
 * was completed later has its final place, and the rest waits for the next page.
 */
export function sortDone(loaded: readonly TaskWire[], isComplete: boolean): TaskWire[] {
  const until = isComplete ? '' : (loaded.at(-1)?.update_dt ?? '')
  return loaded
    .filter(({ completed_dt }) => completed_dt !== null && completed_dt >= until)
    .sort((a, b) => compareText(b.completed_dt ?? '', a.completed_dt ?? ''))
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
