import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { Problem } from '#core/problem.ts'
import { answerAtOnce } from '#http/protocol/problem.ts'
import { createLine, eventLoop, everySecond, type Line, type Turns } from './fair-queue.ts'

/**
 * What keeps a flood of requests from the bell, and from those who were there before: requests take turns, and when the line does
 * not get shorter, new ones are refused.
 *
 *   request ─▶ about health, /metrics ───────────────────▶ urgent    2 ms a turn
 *          ├─▶ others ──▶ line stands? no ───────────────▶ ordinary  4 ms a turn, 64 underway
 *          ├─▶ lists of thousands ──▶ the same ──────────▶ large     4 ms a turn, so one of them, 16 underway
 *          └──────── yes, or waited for 2 s in vain ─────▶ refused   4 ms a turn, 503
 *
 * - **Turns.** See turns.ts. A refusal costs 15 to 20 µs of our own time and a read 25 to 40: to refuse reads saves nobody. What
 *   saves the bell is that neither may fill a turn.
 * - **Places.** What is underway has begun and is not answered: it waits for the database, in whose line the bell stands too. 64
 *   share a transaction of 5 ms, or a pool of connections; more would only wait there. A body that is still to come holds no place,
 *   nor does an answer that is still to be read, or slow clients could take them all.
 * - **A line for what is large.** A list of 10,000 tasks takes 40 ms, as much as 1,000 reads. In one line with them 500 who ask for one
 *   kept a normal client waiting for 0.4 s (p99); beside them he waits for the one of this turn. They also have places of their own.
 * - **The line stands** from when one of it has waited for two seconds until one is let in that has waited for less than half of it.
 *   Time in the line and not its length: 40,000 reads or 50 lists of 10,000 are two seconds. And not the delay of the event loop: that
 *   of a server with 32 clients at full load, or ringing 10,000 notifications, is as high as that of one that is overrun.
 *
 * Not @fastify/under-pressure: it looks at the loop once a second, then refuses all, and within the turn. In its place here (30 ms,
 * ten looks a second) 2,000 to 5,000 connections were refused 97 to 99 of 100 requests, and the bell was late by 0.2 to 4.9 s (p99).
 * By turns all are answered, at the same rate, and it is late by 20 to 60 ms.
 */
export interface Admission {
  /** @param letIn called when it is this one's turn @param refuse called instead of it, where the line stands */
  enter(letIn: (now: number) => void, refuse: () => void, size?: Size): void
  /** The same for what is never refused. */
  enterUrgently(letIn: () => void): void
  /** Answers in turn what is to be refused for some reason of its own. */
  refuse(answer: () => void): void
  /** Takes a place among those underway. @returns what to give it back by */
  takePlace(now: number, size?: Size): number
  givePlaceBack(place: number, size?: Size): void
}

/** `large`: asks for thousands of things at once. */
type Size = 'ordinary' | 'large'

const shareMs = { ordinary: 4, large: 4, urgent: 2, refused: 4 }
/** At 1 s some of 32 clients that load lists of 10,000 at once were refused, and that is no flood. */
const maxWaitMs = 2_000
/** Each has its own: neither can keep the other from the database, nor take all of a pool of connections. */
const maxUnderway = { ordinary: 64, large: 16 }
/**
 * Places are counted for the second in which they are taken and the next. What takes longer waits for something else than a database
 * that works: were it counted, a receiver that hangs, or a handler that forgets to answer, could lock everybody out.
 */
const placeMs = 1_000

interface Waiting {
  readonly since: number
  readonly letIn: (now: number) => void
  readonly refuse: () => void
}

/** @param after calls once after some ms; another in tests, as is `turns` */
export function openAdmission(
  turns: Turns = eventLoop,
  after: (ms: number, callback: () => void) => void = (ms, callback) => setTimeout(callback, ms).unref(),
): Admission {
  let isWakeSet = false
  const places = { ordinary: countPlaces(), large: countPlaces() }

  const call = (answer: () => void) => answer()
  const urgent = createLine({ shareMs: shareMs.urgent, isOpen: () => true, serve: call }, turns)
  const refused = createLine({ shareMs: shareMs.refused, isOpen: () => true, serve: call }, turns)
  const lines = { ordinary: openLine('ordinary', turns), large: openLine('large', everySecond(turns)) }

  function openLine(size: Size, turns: Turns) {
    let isStanding = false
    const line: Line<Waiting> = createLine(
      {
        shareMs: shareMs[size],
        isOpen(now) {
          if (places[size].taken(now) < maxUnderway[size]) return true
          // Somebody may be here who gives none back. It is looked at again when those that are taken are no longer counted.
          if (!isWakeSet) after(placeMs, wake)
          isWakeSet = true
          return false
        },
        serve({ since, letIn, refuse }, now) {
          if (now - since >= maxWaitMs) {
            isStanding = true
            return refused.enter(refuse)
          }
          if (now - since < maxWaitMs / 2) isStanding = false
          letIn(now)
        },
      },
      turns,
    )
    return {
      enter(letIn: (now: number) => void, refuse: () => void) {
        if (isStanding && line.length > 0) refused.enter(refuse)
        else line.enter({ since: turns.now(), letIn, refuse })
      },
      goOn() {
        if (line.length > 0) line.goOn()
      },
    }
  }

  function wake() {
    isWakeSet = false
    lines.ordinary.goOn()
    lines.large.goOn()
  }

  return {
    enter: (letIn, refuse, size = 'ordinary') => lines[size].enter(letIn, refuse),
    enterUrgently: (letIn) => urgent.enter(letIn),
    refuse: (answer) => refused.enter(answer),
    takePlace: (now, size = 'ordinary') => places[size].take(now),
    givePlaceBack(place, size = 'ordinary') {
      places[size].giveBack(place)
      lines[size].goOn()
    },
  }
}

function countPlaces() {
  let second = 0
  let now = 0
  let before = 0

  function pass(at: number) {
    const current = Math.floor(at / placeMs)
    if (current === second) return
    before = current === second + 1 ? now : 0
    now = 0
    second = current
  }

  return {
    taken(at: number): number {
      pass(at)
      return now + before
    },
    take(at: number): number {
      pass(at)
      now++
      return second
    },
    giveBack(place: number) {
      if (place === second) now--
      else if (place === second - 1) before--
    },
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the server is, asked by whoever watches it: never refused, whatever the load, nor counted against anybody. */
    readonly isUrgent?: true
    /** Waits for something to happen, or for somebody else's server: that holds no place. */
    readonly isLong?: true
    /** Whether it asks for thousands of things at once: then it waits with its like. @param query as it came, not checked yet */
    readonly isLarge?: (query: Readonly<Record<string, unknown>>) => boolean
  }
  interface FastifyRequest {
    /** Among those underway. */
    place: number
    size: Size
  }
}

const noPlace = -1
const awaitsBody = -2

const overrun = new Problem('unavailable', 'More is asked of the server than it can answer just now.', {
  retryAfterMs: 2_000,
})

/** A line of the log for each would be a flood of its own. */
const logEveryMs = 10_000

/** Lets every request of a server in by a gate. To be called before any other hook is added. */
export function admitRequests(
  server: FastifyInstance,
  gate: Admission,
  { log, onRefused }: { log: Pick<Logger, 'warn'>; onRefused: () => void },
): void {
  let refused = 0
  let loggedAt = Number.NEGATIVE_INFINITY

  function noteRefusal() {
    onRefused()
    refused++
    if (performance.now() - loggedAt < logEveryMs) return
    log.warn({ refused }, 'more is asked than can be answered: requests are refused')
    loggedAt = performance.now()
    refused = 0
  }

  server.decorateRequest('place', noPlace)
  server.decorateRequest('size', 'ordinary')

  server.addHook('onRequest', (request, reply, done) => {
    const { config } = request.routeOptions
    if (config.isUrgent) return gate.enterUrgently(done)
    if (config.isLarge?.(request.query as Record<string, unknown>)) request.size = 'large'
    const letIn = (now: number) => {
      if (request.raw.socket.destroyed) return // went while it waited: nobody is there to be answered
      if (!config.isLong) request.place = gate.takePlace(now, request.size)
      done()
    }
    const refuse = () => {
      noteRefusal()
      answerAtOnce(overrun, request, reply)
    }
    gate.enter(letIn, refuse, request.size)
  })

  const leave = (request: FastifyRequest, place: number) => {
    if (request.place >= 0) gate.givePlaceBack(request.place, request.size)
    request.place = place
  }
  server.addHook('preParsing', (request, _, __, done) => {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
    if (request.place >= 0 && (length !== '0' || encoding !== undefined)) leave(request, awaitsBody)
    done()
  })
  server.addHook('preValidation', (request, _, done) => {
    if (request.place === awaitsBody) request.place = gate.takePlace(performance.now(), request.size)
    done()
  })
  server.addHook('onSend', (request, _, payload, done) => {
    leave(request, noPlace)
    done(null, payload)
  })
  // A reply that somebody has taken over is not sent by Fastify; this comes when it is over.
  server.addHook('onResponse', (request, _, done) => {
    leave(request, noPlace)
    done()
  })
}
