import type { ChangesWire } from '#api/schemas/event.ts'
import { Problem } from '#core/problem.ts'
import { changeCounter, lastChange, taskChangesSince } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { listTasks, tasksByIds } from '#store/tasks.ts'
import { type ChangePosition, invalidCursor, parseChangeCursor, toChangeCursor } from '#wire/cursor.ts'
import { toTaskWire } from '#wire/task.ts'
import type { Handlers } from './call.ts'

/**
 * Delta sync. A reader begins with the whole state, in pages, and continues with the changes:
 *
 *   first ──▶ number = last change ──▶ tasks by id, page by page ──▶ changes above that number ──▶ …
 *
 * The reader receives states, not events. A state may be newer than the cursor, but never older. Therefore each step reads in a fixed order:
 *
 *   - The number is read before the first page. Changes during the pages have higher numbers, and are returned later.
 *   - Changes are read before their tasks. A task is then as that change left it, or newer, and the newer change has a higher number.
 *   - The last number is read before the changes. All changes up to it were visible then, so a page that is not full reaches at least to
 *     that number, also if it has skipped changes of notifications.
 *   - The number of purged changes is read after the changes: so a purge in between is noticed.
 *
 * On every database each statement sees all earlier commits. No transaction around them is needed.
 */
export function changeOperations({ db }: { db: Db }) {
  async function wholeState(
    userId: number,
    { number, taskId: after = 0 }: ChangePosition,
    limit: number,
  ): Promise<ChangesWire> {
    const found = await listTasks(db, userId, { after, limit: limit + 1, offset: 0 })
    const { last, forgotten } = await changeCounter(db, userId)
    checkPosition(number, last, forgotten)
    const page = found.slice(0, limit)
    const isDone = found.length <= limit
    return {
      tasks: page.map(toTaskWire),
      deleted: [],
      cursor: toChangeCursor(userId, isDone ? { number } : { number, taskId: page.at(-1)?.id ?? after }),
      more: !isDone || last > number,
    }
  }

  async function changed(userId: number, { number }: ChangePosition, limit: number): Promise<ChangesWire> {
    const { last } = await changeCounter(db, userId)
    const changes = await taskChangesSince(db, userId, number, limit)
    const { forgotten } = await changeCounter(db, userId)
    checkPosition(number, last, forgotten)
    const ids = new Set<number>()
    for (const { taskId } of changes) {
      // A change of many tasks at once does not list them.
      if (taskId === null) throw startAgain()
      ids.add(taskId)
    }
    const tasks = await tasksByIds(db, [...ids])
    const more = changes.length === limit
    const seen = changes.at(-1)?.number ?? number
    return {
      tasks: [...ids].flatMap((id) => tasks.get(id) ?? []).map(toTaskWire), // in the order in which they changed first
      deleted: [...ids].filter((id) => !tasks.has(id)),
      cursor: toChangeCursor(userId, { number: more ? seen : Math.max(seen, last) }),
      more,
    }
  }

  return {
    async listChanges({ query: { since, limit }, caller: { userId } }) {
      if (since === undefined)
        return { body: await wholeState(userId, { number: await lastChange(db, userId), taskId: 0 }, limit) }
      const position = parseChangeCursor(userId, since, 'since')
      const read = position.taskId === undefined ? changed : wholeState
      return { body: await read(userId, position, limit) }
    },
  } satisfies Handlers<'listChanges'>
}

/** @throws Problem `gone` for a position before purged changes, `malformed` for a position after the last change */
function checkPosition(number: number, last: number, forgotten: number): void {
  if (number < forgotten) throw startAgain()
  if (number > last) throw invalidCursor('since')
}

function startAgain(): Problem {
  return new Problem('gone', 'Changes since then are no longer stored one by one. Start again without «since».')
}
