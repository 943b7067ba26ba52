import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Task } from '#core/task.ts'
import { toEtag, toTaskWire } from '#wire/task.ts'
import { parsePrefer } from './prefer.ts'

/** A success before it is sent, in a form that can be kept and sent again. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

export function send(reply: FastifyReply, { headers, body }: Answer): FastifyReply {
  return reply.headers(headers).send(body)
}

export function prefersMinimal({ headers }: FastifyRequest): boolean {
  return parsePrefer(headers.prefer).get('return') === 'minimal'
}

/**
 * A task as it is after a write. With `Prefer: return=minimal` as no more than its id and version, which are what the next write
 * needs. Not as a 204: a create would tell its id by Location alone, a write of many could not say what was missing, and every
 * client would need a second way to read a success.
 */
export function taskAnswer(request: FastifyRequest, task: Task, more: Record<string, string> = {}): Answer {
  const headers = { etag: toEtag(task), ...more }
  if (!prefersMinimal(request)) return { headers, body: toTaskWire(task) }
  return { headers: { ...headers, 'preference-applied': 'return=minimal' }, body: toTaskMark(task) }
}

export function toTaskMark({ id, version }: Task): { id: number; version: number } {
  return { id, version }
}
