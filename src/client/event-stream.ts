/** One message of a stream of server-sent events. */
export interface StreamMessage {
  /** `message` where the stream names none. */
  readonly type: string
  readonly data: string
  /** The last id the stream has named: what comes after this message is asked for by it. */
  readonly lastId: string
}

/**
 * The longest message, in characters. The largest task is 0.5 Mi of them as JSON; a server that sends more without an end of line or of
 * message would fill the memory.
 */
const maxMessageLength = 4 * 1024 * 1024

/**
 * Reads `text/event-stream` as the HTML standard has it (WHATWG HTML section 9.2.6), from pieces that may end anywhere. In browsers
 * EventSource does it; but it sends no headers, does not say why it was refused, and is not in Node.
 * @param startId the last id of the connection before
 */
export function createStreamParser(onMessage: (message: StreamMessage) => void, startId = '') {
  let rest = ''
  let isFirst = true
  let isAfterReturn = false
  let data: string[] = []
  /** Characters of `data`. */
  let length = 0
  let type = ''
  let id = startId
  let lastId = startId
  let retryMs: number | undefined

  function readLine(line: string) {
    if (line === '') return dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'data') {
      data.push(value)
      length += value.length + 1
    } else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value)
    // Any other is for somebody else; a comment is a field without a name.
  }

  function dispatch() {
    lastId = id // also where there is no message
    if (data.length > 0) onMessage({ type: type || 'message', data: data.join('\n'), lastId })
    data = []
    length = 0
    type = ''
  }

  return {
    /** @throws when a message is longer than any that Duebell sends */
    push(text: string) {
      if (text === '') return
      let fresh = text
      if (isFirst && fresh.startsWith('\uFEFF')) fresh = fresh.slice(1)
      isFirst = false
      // The other half of a CR LF that was cut in two.
      if (isAfterReturn && fresh.startsWith('\n')) fresh = fresh.slice(1)
      isAfterReturn = fresh.endsWith('\r')
      const lines = (rest + fresh).split(/\r\n|\n|\r/)
      rest = lines.pop() as string
      for (const line of lines) readLine(line)
      if (rest.length + length > maxMessageLength) throw new Error('a message of the event stream is longer than 4 MiB')
    },
    get lastId() {
      return lastId
    },
    /** How long the server wants us to wait before we come back. */
    get retryMs() {
      return retryMs
    },
  }
}

const defaultRetryMs = 2_000
const maxRetryMs = 30_000
/** The server says something every 15 s: one that has said nothing for so long is not there any more, whatever TCP thinks. */
const silentMs = 45_000

export interface Following {
  /** Asks for the stream from after an id on; undefined for the first time. @throws when there is none */
  readonly open: (lastId: string | undefined, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>
  /** After an error of `open`: the least wait in ms, or undefined when it will be the same next time. */
  readonly waitAfter: (error: unknown) => number | undefined
  /** Ends it, without an error. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The messages of a stream, over as many connections as it takes: each goes on after the last id of the one before. Waits before it
 * comes back, longer each time it is in vain, and never as long as others do: or all would come back to a server that has just
 * started in the same instant.
 */
export async function* followStream({ open, waitAfter, signal }: Following): AsyncGenerator<StreamMessage> {
  let lastId: string | undefined
  let retryMs = defaultRetryMs
  for (let failures = 0; !signal?.aborted; failures++) {
    let leastMs = 0
    const attempt = new AbortController()
    const abort = () => attempt.abort()
    signal?.addEventListener('abort', abort, { once: true })
    /** The server has so long, whoever takes the messages as long as it likes. */
    const patiently = async <T>(answer: Promise<T>): Promise<T> => {
      const silence = setTimeout(abort, silentMs)
      return answer.finally(() => clearTimeout(silence))
    }
    try {
      const messages: StreamMessage[] = []
      const parser = createStreamParser((message) => messages.push(message), lastId)
      const reader = (await patiently(open(lastId, attempt.signal))).getReader()
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true }) // that is the parser's
      for (;;) {
        const { value, done } = await patiently(reader.read())
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
      leastMs = wait
    } finally {
      signal?.removeEventListener('abort', abort)
      attempt.abort() // also where the reader of the messages wants no more
    }
    const waitMs = Math.min(retryMs * 2 ** failures, Math.max(retryMs, maxRetryMs)) * (0.5 + Math.random())
    await pause(Math.max(leastMs, waitMs), signal)
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal?.addEventListener('abort', finish, { once: true })
  })
}
