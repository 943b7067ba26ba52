import type { ChangesWire } from '#api/schemas/event.ts'
import { Problem } from '#core/problem.ts'
import { changeCounter, lastChange, taskChangesSince } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { listTasks, tasksByIds } from '#store/tasks.ts'
import { type ChangePosition, invalidCursor, parseChangeCursor, toChangeCursor } from '#wire/cursor.ts'
import { toTaskWire } from '#wire/task.ts'
import type { Handlers } from './call.ts'

/**
 * Delta sync. A reader begins with the whole state, in pages, and goes on with what has changed:
 *
 *   first ──▶ number = last change ──▶ tasks by id, page by page ──▶ changes above that number ──▶ …
 *
 * It is told states, not deeds, and may be told one that is newer than its cursor: what it is never told is one that is older. For
 * that each step reads in one order, in which what comes later in the list can only be seen early:
 *
 *   - The number is read before the first page. What changes while the pages are read has a higher one, and is told again.
 *   - Changes are read before their tasks: a task is then as that change left it, or newer, and that has a higher number.
 *   - The last number is read before the changes. Up to it, all were visible by then: so a page that is not full has come at
 *     least that far, whatever of the bell's lines it has passed over.
 *   - What is forgotten is read after the changes: what was taken away under our eyes is known to be.
 *
 * Each statement sees all that was committed before it began, on every database; they need no transaction around them.
 */
export function changeOperations({ db }: { db: Db }) {
  async function wholeState(
    userId: number,
    { number, taskId: after = 0 }: ChangePosition,
    limit: number,
  ): Promise<ChangesWire> {
    const found = await listTasks(db, userId, { after, limit: limit + 1, offset: 0 })
    const { last, forgotten } = await changeCounter(db, userId)
    refuse(number, last, forgotten)
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
    refuse(number, last, forgotten)
    const ids = new Set<number>()
    for (const { taskId } of changes) {
      // Of many at once: which they were is not in the list.
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

/** @throws Problem `gone` for a place of which something is forgotten, `malformed` for one that nobody can have come to */
function refuse(number: number, last: number, forgotten: number): void {
  if (number < forgotten) throw startAgain()
  if (number > last) throw invalidCursor('since')
}

function startAgain(): Problem {
  return new Problem(
    'gone',
    'What has changed since then is not kept one by one any more: start again without «since».',
  )
}
