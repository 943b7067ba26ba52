import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { Problem } from '#core/problem.ts'
import { sendProblemDirectly } from '#http/protocol/problem.ts'
import { hasBody } from './body-limits.ts'
import {
  createCallQueue,
  createFairQueue,
  type EventLoop,
  eventLoop,
  everySecondTurn,
  type FairQueue,
} from './fair-queue.ts'
import { countSlots } from './slots.ts'

/**
 * Admission control: a flood of requests delays neither reminders nor the requests before it. Requests wait in queues that share the
 * event loop, and new ones are rejected when a queue does not get shorter.
 *
 *   request ─▶ health, /metrics ─────────────────────────▶ urgent    2 ms a turn
 *          ├─▶ others ──▶ overloaded? no ────────────────▶ ordinary  4 ms a turn, 64 in flight
 *          ├─▶ lists of thousands ──▶ the same ──────────▶ large     4 ms a turn, so one of them, 16 in flight
 *          │   creates of hundreds ─▶ when the body is there ▲
 *          └──────── yes, or queued for 2 s ─────────────▶ rejected  4 ms a turn, 503
 *
 * - **Turns.** See fair-queue.ts. A rejection costs 15 to 20 µs and a read 25 to 40, so rejecting reads saves little. Reminders stay
 *   punctual because neither may fill a turn.
 * - **Slots.** A request in flight waits for the database, where reminders wait too. 64 share a transaction of 5 ms, or a pool of
 *   connections; more would only wait there. A request whose body is still coming holds no slot, nor does a response that is still
 *   being read: slow clients could take all slots.
 * - **A queue for large requests.** A list of 10,000 tasks takes 40 ms, as much as 1,000 reads. In one shared queue, 500 clients asking
 *   for such a list delayed a normal client by 0.4 s (p99); with two queues it waits for one list a turn. Large requests also have slots
 *   of their own.
 * - **Overloaded** lasts from the first request that has waited for two seconds until one starts that has waited for less than half of
 *   it. Waiting time counts, not length: 40,000 reads or 50 lists of 10,000 take two seconds. Event loop delay is no measure: a server
 *   with 32 clients at full load, or firing 10,000 reminders, has as much of it as an overloaded one.
 *
 * Rejected: @fastify/under-pressure. It checks the loop once a second, then rejects everything, all in one turn. In its place here
 * (30 ms, ten checks a second) 97 to 99 of 100 requests of 2,000 to 5,000 connections were rejected, and reminders were 0.2 to 4.9 s
 * late (p99). With queues all are answered, at the same rate, and reminders are 20 to 60 ms late.
 */
export interface Admission {
  /** Calls `start` when the request may begin, or `reject` instead while the server is overloaded. */
  enqueue(start: (now: number) => void, reject: () => void, size?: Size): void
  /** The same for a request that is never rejected. */
  enqueueUrgent(start: () => void): void
  /** Queues a response that rejects a request for another reason. */
  enqueueRejection(respond: () => void): void
  /** Takes a slot for a request in flight. @returns the slot, for `releaseSlot` */
  takeSlot(now: number, size?: Size): number
  releaseSlot(slot: number, size?: Size): void
}

/** `large`: asks for thousands of items at once, or brings hundreds. */
type Size = 'ordinary' | 'large'

const shareMs = { ordinary: 4, large: 4, urgent: 2, rejected: 4 }
/** With 1 s, some of 32 clients that load lists of 10,000 at once were rejected, and that is no flood. */
const maxWaitMs = 2_000
/** Each size has its own: neither can keep the other from the database, nor take all connections of a pool. */
const maxInFlight = { ordinary: 64, large: 16 }
/**
 * A slot counts in the second in which it is taken and in the next. A request that takes longer waits for something other than a working
 * database. If it counted, a hanging receiver or a handler that never responds could lock out every client.
 */
const slotMs = 1_000

interface Waiting {
  readonly since: number
  readonly start: (now: number) => void
  readonly reject: () => void
}

/** @param loop replaced in tests @param after calls once after some ms; replaced in tests */
export function createAdmission(
  loop: EventLoop = eventLoop,
  after: (ms: number, callback: () => void) => void = (ms, callback) => setTimeout(callback, ms).unref(),
): Admission {
  let isResumeScheduled = false
  const slots = { ordinary: countSlots(slotMs), large: countSlots(slotMs) }

  const urgent = createCallQueue(shareMs.urgent, loop)
  const rejected = createCallQueue(shareMs.rejected, loop)
  const queues = { ordinary: createQueue('ordinary', loop), large: createQueue('large', everySecondTurn(loop)) }

  function createQueue(size: Size, loop: EventLoop) {
    let isOverloaded = false
    const queue: FairQueue<Waiting> = createFairQueue(
      {
        shareMs: shareMs[size],
        hasCapacity(now) {
          if (slots[size].taken(now) < maxInFlight[size]) return true
          // Some slots may never be released. The queue resumes when they no longer count.
          if (!isResumeScheduled) after(slotMs, resumeAll)
          isResumeScheduled = true
          return false
        },
        serve({ since, start, reject }, now) {
          if (now - since >= maxWaitMs) {
            isOverloaded = true
            return rejected.push(reject)
          }
          if (now - since < maxWaitMs / 2) isOverloaded = false
          start(now)
        },
      },
      loop,
    )
    return {
      enqueue(start: (now: number) => void, reject: () => void) {
        if (isOverloaded && queue.length > 0) rejected.push(reject)
        else queue.push({ since: loop.now(), start, reject })
      },
      resume() {
        if (queue.length > 0) queue.resume()
      },
    }
  }

  function resumeAll() {
    isResumeScheduled = false
    queues.ordinary.resume()
    queues.large.resume()
  }

  return {
    enqueue: (start, reject, size = 'ordinary') => queues[size].enqueue(start, reject),
    enqueueUrgent: (start) => urgent.push(start),
    enqueueRejection: (respond) => rejected.push(respond),
    takeSlot: (now, size = 'ordinary') => slots[size].take(now),
    releaseSlot(slot, size = 'ordinary') {
      slots[size].release(slot)
      queues[size].resume()
    },
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Reports the state of the server to a monitor: never rejected, whatever the load, and counted against no caller. */
    readonly bypassLimits?: true
    /** Waits for an event or for another server, so it holds no slot. */
    readonly longRunning?: true
    /**
     * Returns whether the request asks for thousands of items, or brings hundreds; then it waits in the large queue. Called with the query,
     * and once more when the body has arrived; both are unvalidated.
     */
    readonly isLarge?: (query: Readonly<Record<string, unknown>>, body: unknown) => boolean
  }
  interface FastifyRequest {
    /** The slot it holds while in flight. */
    slot: number
    size: Size
  }
}

const noSlot = -1
const awaitsBody = -2

const overloaded = new Problem('unavailable', 'The server is overloaded. Try again later.', {
  retryAfterMs: 2_000,
})

/** A log line for each rejection would be a flood of its own. */
const logEveryMs = 10_000

/** Sends every request of a server through admission control. It must be the first to add hooks. */
export function admitRequests(
  server: FastifyInstance,
  admission: Admission,
  { log, onRejected }: { log: Pick<Logger, 'warn'>; onRejected: () => void },
): void {
  let count = 0
  let loggedAt = Number.NEGATIVE_INFINITY

  function noteRejection() {
    onRejected()
    count++
    if (performance.now() - loggedAt < logEveryMs) return
    log.warn({ refused: count }, 'server overloaded: requests are rejected')
    loggedAt = performance.now()
    count = 0
  }

  server.decorateRequest('slot', noSlot)
  server.decorateRequest('size', 'ordinary')

  const isLarge = ({ routeOptions, query, body }: FastifyRequest) =>
    routeOptions.config.isLarge?.(query as Record<string, unknown>, body) ?? false

  function enqueue(request: FastifyRequest, reply: FastifyReply, done: () => void) {
    const { config } = request.routeOptions
    const start = (now: number) => {
      if (request.raw.socket.destroyed) return // the client left while it waited
      if (!config.longRunning) request.slot = admission.takeSlot(now, request.size)
      done()
    }
    const reject = () => {
      noteRejection()
      sendProblemDirectly(overloaded, request, reply)
    }
    admission.enqueue(start, reject, request.size)
  }

  server.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.bypassLimits) return admission.enqueueUrgent(done)
    if (isLarge(request)) request.size = 'large'
    enqueue(request, reply, done)
  })

  const release = (request: FastifyRequest, slot: number) => {
    if (request.slot >= 0) admission.releaseSlot(request.slot, request.size)
    request.slot = slot
  }
  server.addHook('preParsing', (request, _, __, done) => {
    if (request.slot >= 0 && hasBody(request)) release(request, awaitsBody)
    done()
  })
  server.addHook('preValidation', (request, reply, done) => {
    if (request.slot !== awaitsBody) return done()
    if (request.size === 'ordinary' && isLarge(request)) {
      // Only its body told, so it waits once more, now among its like.
      request.size = 'large'
      return enqueue(request, reply, done)
    }
    request.slot = admission.takeSlot(performance.now(), request.size)
    done()
  })
  server.addHook('onSend', (request, _, payload, done) => {
    release(request, noSlot)
    done(null, payload)
  })
  // Fastify does not call onSend for a hijacked reply; onResponse comes when that reply has ended.
  server.addHook('onResponse', (request, _, done) => {
    release(request, noSlot)
    done()
  })
}
