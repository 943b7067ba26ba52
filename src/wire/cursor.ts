import { malformedParameter, type Problem } from '#core/problem.ts'

/** Cursors are opaque to callers: the position in a list, in a form that does not invite arithmetic. */

const encode = (text: string) => Buffer.from(text).toString('base64url')
const decode = (cursor: string) => Buffer.from(cursor, 'base64url').toString()

/** @param parameter where the cursor stood */
export function invalidCursor(parameter = 'cursor', detail = 'is not one that this server gave'): Problem {
  return malformedParameter(parameter, detail, `The cursor ${detail}.`)
}

/** The cursor of a list in the order of ids. */
export const toCursor = (id: number) => encode(`id:${id}`)

/** @throws Problem `malformed` */
export function parseCursor(cursor: string): number {
  const [, id] = /^id:(\d{1,15})$/.exec(decode(cursor)) ?? []
  if (id === undefined) throw invalidCursor()
  return Number(id)
}

/** The cursor of the trash, whose order is the newest deletion first. */
export const toTrashCursor = (deletedAt: number, id: number) => encode(`trash:${deletedAt}:${id}`)

/** @throws Problem `malformed` */
export function parseTrashCursor(cursor: string): { deletedAt: number; id: number } {
  const [, deletedAt, id] = /^trash:(\d{1,15}):(\d{1,15})$/.exec(decode(cursor)) ?? []
  if (deletedAt === undefined || id === undefined) throw invalidCursor('cursor', 'is not one that this list gave')
  return { deletedAt: Number(deletedAt), id: Number(id) }
}

/** The cursor of a filtered list in the order of ids. It has the filter: continuing with another one would skip and repeat items. */
export const toFilterCursor = (id: number, filter: string) => encode(`${id} ${filter}`)

/** @throws Problem `malformed` */
export function parseFilterCursor(cursor: string, filter: string): number {
  const [, id, ofFilter] = /^(\d{1,15}) (\{.*\})$/.exec(decode(cursor)) ?? []
  if (id !== undefined && ofFilter === filter) return Number(id)
  throw invalidCursor('cursor', id === undefined ? 'is not one that this list gave' : 'was given for another filter')
}

/** The position of a reader of changes: the number of the last change that it has seen. */
export interface ChangePosition {
  readonly number: number
  /** While it reads the whole state: the id of the last task that it has received. */
  readonly taskId?: number
}

/** The cursor of the changes. It is bound to its user. */
export function toChangeCursor(userId: number, { number, taskId }: ChangePosition): string {
  return encode(taskId === undefined ? `changes:${userId}:${number}` : `tasks:${userId}:${number}:${taskId}`)
}

/** @param parameter where it stood @throws Problem `malformed` */
export function parseChangeCursor(userId: number, cursor: string, parameter: string): ChangePosition {
  const [, kind, user, number, taskId] = /^(changes|tasks):(\d+):(\d{1,15})(?::(\d{1,15}))?$/.exec(decode(cursor)) ?? []
  if (Number(user) !== userId || (kind === 'tasks') !== (taskId !== undefined)) throw invalidCursor(parameter)
  return taskId === undefined ? { number: Number(number) } : { number: Number(number), taskId: Number(taskId) }
}
