import { requirePrecondition } from '#actions/conditions.ts'
import { type Context, yieldToOthers } from '#actions/context.ts'
import { createTasks } from '#actions/create-tasks.ts'
import * as actions from '#actions/tasks.ts'
import type { Operation } from '#api/operation.ts'
import type { tasks } from '#api/operations.ts'
import { maxTexts, type TaskDraftWire } from '#api/schemas/task.ts'
import { invalidMember } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { checkKey } from '#core/task-changes.ts'
import type { Db } from '#store/schema.ts'
import { getTask, getTaskByKey } from '#store/tasks.ts'
import { toEtag } from '#wire/etag.ts'
import { snoozeWords, toDraft, toPatch, toSnooze, toTaskWire } from '#wire/task.ts'
import { toDeletedTaskWire } from '#wire/trash.ts'
import { type Call, type Handler, type Handlers, withPreparation } from './call.ts'
import { pathOf, taskResult, toTaskMark } from './task-result.ts'
import { atText } from './task-texts.ts'
import type { ReadDraft, TextReader } from './text-reader.ts'

interface Deps {
  readonly db: Db
  readonly ctx: Context
  readonly trashDays: number
  readonly texts: TextReader
}

/** One task, and writes of many; task-list.ts lists them, trash.ts deletes many. */
export function taskOperations({ db, ctx, trashDays, texts }: Deps) {
  const update: Handler<typeof tasks.updateTask> = async (call) => {
    const target = { id: call.params.id, ...call.condition }
    return taskResult(call, await actions.updateTask(ctx, call.caller, target, toPatch(call.body)))
  }

  return {
    async createTask(call) {
      const task = await actions.createTask(call.ctx, call.caller, toDraft(call.body))
      return taskResult(call, task, { location: pathOf(task) })
    },

    createTasks: withPreparation(
      (call) => readTexts(call, texts),
      async ({ body, caller, ctx, prefers }, read) => {
        const drafts = body.tasks.map((wire, i) =>
          toDraft(read.get(i)?.draft ?? (wire as TaskDraftWire), `/tasks/${i}`),
        )
        const reads = [...read].map(([i, { members }]) => ({ pointer: `/tasks/${i}`, members }))
        const tasks = await atText(reads, () => createTasks(ctx, caller, drafts))
        return prefers('return=minimal')
          ? { body: { tasks: tasks.map(toTaskMark) }, applied: 'return=minimal' }
          : { body: { tasks: tasks.map(toTaskWire) } }
      },
    ),

    async updateTasks({ body, caller, prefers }) {
      const seen = new Set<number>()
      const patches = body.tasks.map(({ id, version, ...rest }, i) => {
        if (seen.has(id)) throw invalidMember(`/tasks/${i}/id`, `is there twice: ${id}`)
        seen.add(id)
        return { id, version, patch: toPatch(rest, `/tasks/${i}`) }
      })
      const isStrict = prefers('handling=strict')
      const isMinimal = prefers('return=minimal')
      const { tasks, missing } = await actions.updateTasks(ctx, caller, patches, { isStrict })
      const applied = [...(isStrict ? ['handling=strict'] : []), ...(isMinimal ? ['return=minimal'] : [])]
      return {
        body: { tasks: isMinimal ? tasks.map(toTaskMark) : tasks.map(toTaskWire), missing },
        ...(applied.length > 0 && { applied: applied.join(', ') }),
      }
    },

    getTask: async (call) => readTask(call, await getTask(db, call.caller.userId, call.params.id)),
    putTask: update,
    updateTask: update,

    async deleteTask({ params: { id }, condition, caller }) {
      const { deletedAt } = await actions.deleteTask(ctx, caller, { id, ...condition })
      return { body: toDeletedTaskWire(id, deletedAt, trashDays) }
    },

    async completeTask(call) {
      return taskResult(call, await actions.completeTask(call.ctx, call.caller, targetOf(call)))
    },
    async reopenTask(call) {
      return taskResult(call, await actions.reopenTask(call.ctx, call.caller, targetOf(call)))
    },
    snoozeTask: withPreparation(
      async (call) => {
        const words = snoozeWords(call.body)
        return toSnooze(call.body, words === undefined ? undefined : await texts.readTime(words, call))
      },
      async (call, until) => taskResult(call, await actions.snoozeTask(call.ctx, call.caller, targetOf(call), until)),
    ),

    async getTaskByKey(call) {
      checkKey(call.params.key)
      const task = await getTaskByKey(db, call.caller.userId, call.params.key)
      return { ...readTask(call, task), contentLocation: pathOf(task) }
    },

    async putTaskByKey(call) {
      const { key } = call.params
      const { uid, ...rest } = call.body
      if (rest.key !== undefined && rest.key !== key) throw invalidMember('/key', 'must be the key of the path')
      const draft = { ...toPatch(rest), ...(uid !== undefined && { uid }) }
      const task = await actions.putTaskByKey(ctx, call.caller, key, call.condition, draft)
      return taskResult(call, task, { location: pathOf(task) })
    },
  } satisfies Handlers<
    | 'createTask'
    | 'createTasks'
    | 'updateTasks'
    | 'getTask'
    | 'putTask'
    | 'updateTask'
    | 'deleteTask'
    | 'completeTask'
    | 'reopenTask'
    | 'snoozeTask'
    | 'getTaskByKey'
    | 'putTaskByKey'
  >
}

const targetOf = ({ params, condition }: { params: { id: number }; condition: Call<Operation>['condition'] }) => ({
  id: params.id,
  ...condition,
})

/** @throws Problem `stale` where an If-Match means another version */
function readTask({ condition: { version } }: Pick<Call<Operation>, 'condition'>, task: Task) {
  requirePrecondition({ version }, task)
  return { etag: toEtag(task), body: toTaskWire(task) }
}

/**
 * The drafts of a list that are in words, by their places. Reminders and other requests run between two texts.
 * @throws Problem `invalid`
 */
async function readTexts(
  call: Call<typeof tasks.createTasks>,
  texts: TextReader,
): Promise<ReadonlyMap<number, ReadDraft>> {
  const drafts = call.body.tasks.flatMap((wire, i) => ('text' in wire ? [{ wire, i }] : []))
  if (drafts.length > maxTexts)
    throw invalidMember('/tasks', `must have at most ${maxTexts} tasks in words, has ${drafts.length}`)
  const read = new Map<number, ReadDraft>()
  for (const { wire, i } of drafts) {
    if (read.size > 0) await yieldToOthers()
    read.set(i, await texts.readDraft(wire, call, `/tasks/${i}`))
  }
  return read
}
