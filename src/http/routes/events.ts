import type { FastifyInstance, FastifyReply } from 'fastify'
import { followEvents } from '#api/events.ts'
import type { Query } from '#api/operation.ts'
import { type EventType, eventTypes } from '#api/schemas/event.ts'
import type { Clock } from '#clock.ts'
import type { Caller } from '#core/caller.ts'
import { malformedParameter, nearest, Problem } from '#core/problem.ts'
import type { ChangeStream, EventFilter, StreamEvent, Subscriber } from '#events/change-stream.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { toRouteOptions } from '#http/bind.ts'
import { addVary } from '#http/protocol/security-headers.ts'
import { lastChange } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { invalidCursor, parseChangeCursor, toChangeCursor } from '#wire/cursor.ts'

/** The wait of a browser before it reconnects, in ms. Its default is 3 to 5 s. */
const retryMs = 2_000
/** Bytes that wait for a client to read them. With more than that, it gets no further events until it reads. */
const maxUnsentBytes = 256 * 1024
/** Heartbeats after which a client that does not read is disconnected: a minute. It can reconnect, and continue where it was. */
const maxStalledBeats = 4

interface EventDeps {
  readonly db: Db
  readonly changeStream: ChangeStream
  readonly clock: Pick<Clock, 'sleep'>
  readonly authenticator: Pick<Authenticator, 'watch'>
}

/** Where a client begins to read, and the last change that exists: both are change numbers. */
interface Start {
  readonly position: number
  readonly last: number
}

/**
 * Events, as a stream of server-sent events (WHATWG HTML section 9.2) or, for clients that accept application/json and no stream, as a long
 * poll. Both begin at the requested position, and return every event that is still stored.
 */
export function eventRoutes(server: FastifyInstance, deps: EventDeps): void {
  const { db, changeStream } = deps
  // Streams never end by themselves.
  server.addHook('preClose', async () => changeStream.stop())

  server.get<{ Querystring: Query<typeof followEvents> }>(
    '/v1/events',
    toRouteOptions(followEvents),
    async (request, reply) => {
      const { query, headers, method, actor } = request
      const { userId } = actor
      const { after, task_id: taskId, wait } = query
      const filter = { userId, taskId, types: query.types === undefined ? undefined : parseTypes(query.types) }
      const isPoll = headers.accept?.includes('application/json') && !headers.accept.includes('text/event-stream')
      reply.type(isPoll ? 'application/json' : 'text/event-stream')
      reply.header('cache-control', 'no-store')
      addVary(reply, 'accept')
      const last = await lastChange(db, userId)
      let position = after === undefined ? last : parsePosition(userId, after, 'after')
      if (isPoll && position > last) throw invalidCursor('after')
      // A browser that reconnects names the last event it has seen, and repeats the `after` of its first request.
      const seen = isPoll ? undefined : headers['last-event-id']
      if (seen) position = parsePosition(userId, String(seen), 'Last-Event-ID')
      if (method === 'HEAD') return reply.send('')
      if (isPoll) return poll(deps, reply, actor, filter, { position, last, waitMs: wait * 1_000 })
      stream(deps, reply, actor, filter, { position, last })
      return reply
    },
  )
}

function stream(
  { changeStream, authenticator }: EventDeps,
  reply: FastifyReply,
  caller: Caller,
  filter: EventFilter,
  { position, last }: Start,
): void {
  const { raw } = reply
  if (raw.destroyed) return // the client disconnected meanwhile
  let sentTo = position
  let stalledBeats = 0
  const isReady = () => raw.writableLength < maxUnsentBytes
  const mark = (to: number) => {
    if (to === sentTo) return ''
    sentTo = to
    return `id: ${to}\n`
  }
  const subscriber: Subscriber = {
    isReady,
    take(events, to) {
      if (events.length === 0) return
      sentTo = events.at(-1)?.number ?? to
      raw.write(frames(events))
    },
    reset: (to) => raw.write(`event: reset\n${mark(to)}data: ${resetData}\n\n`),
    heartbeat(to) {
      if (!isReady()) {
        if (++stalledBeats >= maxStalledBeats) raw.destroy()
        return
      }
      stalledBeats = 0
      raw.write(`:\n${mark(to)}\n`)
    },
    fail() {}, // the stream waits for the next events
    end() {
      leave() // nothing may be written after the end
      raw.end()
    },
  }
  // A position after the last change comes from before the database was restored from a copy.
  const isUnknown = position > last
  const unsubscribe = changeStream.subscribe(isUnknown ? last : position, filter, subscriber, caller.by?.id)
  // A revoked token ends its streams.
  const unwatch = authenticator.watch(caller, subscriber.end)
  const leave = () => {
    unsubscribe()
    unwatch()
  }
  raw.on('close', leave)
  raw.on('error', () => {}) // the client disconnected during a write; `close` follows
  raw.on('drain', () => changeStream.wake([filter.userId]))
  reply.hijack()
  // The body ends with the connection. Chunked encoding would need three writes for each of ours.
  raw.useChunkedEncodingByDefault = false
  const own = { connection: 'close', 'x-accel-buffering': 'no' } // otherwise nginx buffers some KB first
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...own })
  raw.write(`retry: ${retryMs}\nid: ${position}\n\n`)
  if (isUnknown) subscriber.reset(last)
}

function poll(
  { changeStream, authenticator, clock }: EventDeps,
  reply: FastifyReply,
  caller: Caller,
  filter: EventFilter,
  { position: from, last, waitMs }: Start & { readonly waitMs: number },
): Promise<FastifyReply> {
  let position = from
  const { promise, resolve, reject } = Promise.withResolvers<FastifyReply>()
  const over = new AbortController()
  let isWaiting = false
  const finish = () => {
    leave()
    unwatch()
    over.abort()
  }
  const answer = (events: readonly StreamEvent[]) => {
    finish()
    const texts = events.map(({ text }) => text).join(',')
    const cursor = toChangeCursor(filter.userId, { number: position })
    resolve(reply.send(`{"events":[${texts}],"cursor":"${cursor}"}`))
  }
  /** Starts the wait once all existing changes have been read. */
  const wait = async () => {
    if (isWaiting || position < last) return
    isWaiting = true
    await clock.sleep(waitMs, over.signal)
    if (!over.signal.aborted) answer([])
  }
  const fail = (error: unknown) => {
    finish()
    reject(error)
  }
  const subscriber: Subscriber = {
    isReady: () => true,
    take(events, to) {
      position = to
      if (events.length > 0) answer(events)
      else wait()
    },
    reset: () => fail(new Problem('gone', `${forgotten}.`)),
    heartbeat() {},
    fail,
    end: () => answer([]),
  }
  const leave = changeStream.subscribe(position, filter, subscriber, caller.by?.id)
  const unwatch = authenticator.watch(caller, () =>
    fail(new Problem('unauthorized', 'The token is not valid any more.')),
  )
  reply.raw.on('close', finish)
  wait()
  return promise
}

function parsePosition(userId: number, text: string, parameter: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : parseChangeCursor(userId, text, parameter).number
}

const forgotten =
  'Changes after this position are no longer stored: load the tasks again, and continue from the cursor in the response'
const resetData = JSON.stringify({ message: `${forgotten}.` })

const written = new WeakMap<readonly StreamEvent[], Buffer>()

/** Serialized once for all subscribers. JSON has no line breaks. */
function frames(events: readonly StreamEvent[]): Buffer {
  let bytes = written.get(events)
  if (!bytes) {
    const text = events.map(({ number, type, text }) => `id: ${number}\nevent: ${type}\ndata: ${text}\n\n`).join('')
    bytes = Buffer.from(text)
    written.set(events, bytes)
  }
  return bytes
}

/** @throws Problem `malformed` */
function parseTypes(text: string): EventType[] {
  return text.split(',').map((word) => {
    const type = eventTypes.find((one) => one === word)
    if (type) return type
    const near = nearest(word, eventTypes)
    const detail = near ? `«${word}» is not known; did you mean ${near}?` : `«${word}» is not known`
    throw malformedParameter('types', detail, `types: ${detail}`)
  })
}
