import { createParser } from 'eventsource-parser'
import { sleep } from './sleep.ts'

/** One message of a stream of server-sent events. */
export interface StreamMessage {
  /** `message` if the stream names none. */
  readonly type: string
  readonly data: string
  /** The last id of the stream, with which a client asks for the messages after this one. */
  readonly lastId: string
}

/**
 * The maximum length of a message, in characters. The largest task has 0.5 Mi of them as JSON. Without the limit, a server that never ends
 * a line or a message would fill the memory.
 */
const maxMessageLength = 4 * 1024 * 1024

/**
 * Parses `text/event-stream` (WHATWG HTML section 9.2.6) from pieces that may end anywhere. EventSource of browsers sends no headers, does
 * not report why it was refused, and is not in Node.
 * @param startId the last id of the previous connection
 */
export function createStreamParser(onMessage: (message: StreamMessage) => void, startId = '') {
  let lastId = startId
  let retryMs: number | undefined
  const parser = createParser({
    maxBufferSize: maxMessageLength,
    // Also called for an id without a message.
    onId: (id) => {
      lastId = id
    },
    onEvent: ({ event = 'message', data }) => onMessage({ type: event, data, lastId }),
    onRetry: (ms) => {
      retryMs = ms
    },
    onError: ({ type }) => {
      // Unknown fields are ignored, as the standard requires.
      if (type === 'max-buffer-size-exceeded') throw new Error('a message of the event stream is longer than 4 MiB')
    },
  })
  return {
    /** @throws when a message is longer than any that Duebell sends */
    push: (text: string) => parser.feed(text),
    get lastId() {
      return lastId
    },
    /** The wait before a reconnect that the server asks for. */
    get retryMs() {
      return retryMs
    },
  }
}

const defaultRetryMs = 2_000
const maxRetryMs = 30_000
/** The server sends a heartbeat every 15 s. After three missed ones it is gone, even if TCP has not noticed. */
const maxSilenceMs = 45_000

export interface FollowOptions {
  /** Opens the stream after an id; undefined for the first time. @throws if the stream cannot be opened */
  readonly open: (lastId: string | undefined, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>
  /** The minimum wait in ms after an error of `open`, or undefined for a permanent error. */
  readonly waitAfter: (error: unknown) => number | undefined
  /** Ends it, without an error. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The messages of a stream, over any number of connections. Each connection continues after the last id of the previous one. The wait
 * before a reconnect grows with each failure and is random, so that not all clients return to a restarted server at the same instant.
 */
export async function* followStream({ open, waitAfter, signal }: FollowOptions): AsyncGenerator<StreamMessage> {
  let lastId: string | undefined
  let retryMs = defaultRetryMs
  for (let failures = 0; !signal?.aborted; failures++) {
    let minWaitMs = 0
    const attempt = new AbortController()
    const abort = () => attempt.abort()
    signal?.addEventListener('abort', abort, { once: true })
    /** Limits the time of the server. The consumer of the messages may take any time. */
    const withSilenceLimit = async <T>(response: Promise<T>): Promise<T> => {
      const silence = setTimeout(abort, maxSilenceMs)
      return response.finally(() => clearTimeout(silence))
    }
    try {
      const messages: StreamMessage[] = []
      const parser = createStreamParser((message) => messages.push(message), lastId)
      const reader = (await withSilenceLimit(open(lastId, attempt.signal))).getReader()
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true }) // the parser removes it
      for (;;) {
        const { value, done } = await withSilenceLimit(reader.read())
        if (done) break
        parser.push(decoder.decode(value, { stream: true }))
        failures = 0
        retryMs = parser.retryMs ?? retryMs
        yield* messages.splice(0)
        lastId = parser.lastId || undefined
      }
    } catch (error) {
      if (signal?.aborted) return
      const wait = waitAfter(error)
      if (wait === undefined) throw error
      minWaitMs = wait
    } finally {
      signal?.removeEventListener('abort', abort)
      attempt.abort() // also when the consumer stops early
    }
    const waitMs = Math.min(retryMs * 2 ** failures, Math.max(retryMs, maxRetryMs)) * (0.5 + Math.random())
    await sleep(Math.max(minWaitMs, waitMs), signal)
  }
}
