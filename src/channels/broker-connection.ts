import type { Outcome } from '#core/delivery.ts'
import { describeFailure, Unreachable } from './http-client.ts'
import { floodReason, ReadBudget } from './read-budget.ts'

/**
 * A connection to a broker that all sends of a channel share: the first opens it, and after a failure the next opens another. The
 * clients' own reconnecting and queueing is off, since the scheduler does both: what a client sends from its queue after the
 * attempt has failed comes twice, or after the task was done.
 */
export interface Link<C> extends AsyncDisposable {
  /**
   * Gives up when the signal aborts, whatever the client is waiting for.
   * @param answerBytes how much the broker may send for it
   * @throws Unreachable with a reason in which no word is the peer's
   */
  send(signal: AbortSignal, answerBytes: number, work: (connection: C) => Promise<Outcome>): Promise<Outcome>
}

/** What no retry heals: a user or a password that was refused. Its message may be shown. */
export class Refused extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Refused'
  }
}

/** What a connector is told, and tells. */
export interface Tether {
  /** Aborts when the connection is to end, at any time: while it is made, too. Then everything of it is destroyed at once. */
  readonly closing: AbortSignal
  /** What the broker may send. The code that opens the socket applies it. */
  readonly budget: ReadBudget
  /** To be called when it has ended of itself. */
  readonly lost: (error: Error) => void
}

interface Connection<C> {
  readonly ready: Promise<C>
  readonly ended: Promise<never>
  readonly lost: Tether['lost']
  readonly closing: AbortController
  readonly budget: ReadBudget
  users: number
}

/**
 * A connection without work is closed after this. One that a router has forgotten meanwhile would cost the next notification its 15 s and
 * a retry; another one costs some milliseconds. So none needs heartbeats, which are off where the protocol lets them be.
 */
const idleMs = 30_000

/** @param greetingBytes how much the broker may send beside answers: as it greets, and unasked */
export function openLink<C>(greetingBytes: number, connect: (tether: Tether) => Promise<C>): Link<C> {
  const all = new Set<Connection<C>>()
  let current: Connection<C> | undefined
  let idle: NodeJS.Timeout | undefined
  let isDisposed = false

  function open(): Connection<C> {
    const closing = new AbortController()
    const { promise: ended, reject: lost } = Promise.withResolvers<never>()
    const budget = new ReadBudget(greetingBytes)
    budget.onSpent = () => lost(new Unreachable(floodReason))
    const ready = connect({ closing: closing.signal, budget, lost })
    const connection = { ready, ended, lost, closing, budget, users: 0 }
    ready.catch(lost)
    ended.catch(() => retire(connection))
    all.add(connection)
    return connection
  }

  /** Nobody else takes it up; it ends with the last who has. */
  function retire(connection: Connection<C>) {
    if (current === connection) current = undefined
    if (connection.users === 0) close(connection)
  }

  function close(connection: Connection<C>) {
    if (current === connection) current = undefined
    all.delete(connection)
    // Nobody's concern but of those who are under way when the channel is closed.
    connection.lost(new Unreachable('is being closed'))
    connection.closing.abort()
  }

  function release(connection: Connection<C>) {
    connection.users--
    if (connection.users > 0) return
    if (connection !== current) return close(connection)
    idle = setTimeout(() => close(connection), idleMs).unref()
  }

  return {
    async send(signal, answerBytes, work) {
      if (isDisposed || signal.aborted) throw new Unreachable(isDisposed ? 'is being closed' : 'timed out')
      clearTimeout(idle)
      current ??= open()
      const connection = current
      connection.users++
      connection.budget.reserve(answerBytes)
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      const abort = () => reject(new Unreachable('timed out'))
      signal.addEventListener('abort', abort, { once: true })
      try {
        const done = connection.ready.then((ready) => {
          // Not a byte of it after the attempt was given up.
          if (signal.aborted) throw new Unreachable('timed out')
          return work(ready)
        })
        return await Promise.race([connection.ended, aborted, done])
      } catch (error) {
        retire(connection)
        if (error instanceof Refused) return { retry: false, reason: error.message }
        throw error instanceof Unreachable ? error : new Unreachable(describeFailure(Object(error)))
      } finally {
        signal.removeEventListener('abort', abort)
        connection.budget.release(answerBytes)
        release(connection)
      }
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true
      clearTimeout(idle)
      for (const connection of all) close(connection)
    },
  }
}
