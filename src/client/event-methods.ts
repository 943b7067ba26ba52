import type { ChangesWire, EventType, EventWire } from '#api/schemas/event.ts'
import type { Call } from './call.ts'
import { followStream } from './event-stream.ts'
import { ProblemError } from './problem-error.ts'
import { withQuery } from './query.ts'

export interface EventsQuery {
  readonly types?: readonly EventType[]
  readonly taskId?: number
  /** The cursor of an event or of `changes`. Default: from now on */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** Earlier events are lost: load the tasks again by `changes`. The stream continues from this cursor. */
export interface Reset {
  readonly type: 'reset'
  readonly cursor: string
}

/** Methods for changes and events. */
export function eventMethods(call: Call) {
  return {
    /** Changes since a cursor; without one, everything. Ask for further pages until `more` is false. */
    changes: (query: { since?: string; limit?: number } = {}) =>
      call<ChangesWire>('GET', withQuery('/v1/changes', query)),
    /**
     * Events as they happen, until the signal aborts. Reconnects after a lost connection and continues where it was.
     * @throws ProblemError for a permanent error
     */
    async *events({ types, taskId, after, signal }: EventsQuery = {}): AsyncGenerator<EventWire | Reset> {
      const path = withQuery('/v1/events', { types: types?.join(','), task_id: taskId, after })
      const messages = followStream({
        signal,
        async open(lastId, signal) {
          return call.stream(path, lastId === undefined ? {} : { 'last-event-id': lastId }, signal)
        },
        waitAfter(error) {
          if (!(error instanceof ProblemError)) return 0 // the server is unavailable
          const isTemporary = error.status >= 500 || error.status === 429
          return isTemporary ? (error.retryAfter ?? 0) * 1_000 : undefined
        },
      })
      for await (const { type, data, lastId } of messages)
        yield type === 'reset' ? { type, cursor: lastId } : (JSON.parse(data) as EventWire)
    },
  }
}
