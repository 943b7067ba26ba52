import type { EventWire } from '#api/schemas/event.ts'
import type { Call } from './call.ts'
import { followStream } from './event-stream.ts'
import type { RequestOptions, Reset } from './methods.ts'
import { ProblemError } from './problem-error.ts'

/**
 * Events as they happen, until the signal aborts. Reconnects after a lost connection and continues where it was.
 * @throws ProblemError for a permanent error
 */
export async function* followEvents(
  call: Call,
  path: string,
  { signal }: RequestOptions = {},
): AsyncGenerator<EventWire | Reset> {
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
}
