import type { Outcome } from '#core/delivery.ts'
import { formatFailure, Unreachable } from './http-client.ts'
import { floodReason, ReadBudget } from './read-budget.ts'

/**
 * A connection to a broker that all attempts of a channel share. The first attempt opens it; after a failure the next one opens another.
 * The clients' own reconnecting and queueing is off, since `reminders/` retries: a message that a client sends from its queue after the
 * attempt has failed arrives twice, or after the task was completed.
 */
export interface BrokerConnection<C> extends AsyncDisposable {
  /**
   * Stops waiting when the signal aborts, whatever the client is doing.
   * @param responseBytes how much the broker may send in response
   * @throws Unreachable with a reason that contains no text of the peer
   */
  send(signal: AbortSignal, responseBytes: number, work: (connection: C) => Promise<Outcome>): Promise<Outcome>
}

/** A permanent failure: the broker refused the user or the password. Its message may be shown. */
export class Refused extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Refused'
  }
}

/** Connects the code that opens a connection with its owner. */
export interface ConnectionHandle {
  /** Aborts when the connection must close, even while it is being opened. Everything of it is then destroyed at once. */
  readonly closing: AbortSignal
  /** Limits the bytes that the broker may send. The code that opens the socket applies it. */
  readonly budget: ReadBudget
  /** Call this when the connection has ended by itself. */
  readonly lost: (error: Error) => void
}

interface Connection<C> {
  readonly ready: Promise<C>
  readonly ended: Promise<never>
  readonly lost: ConnectionHandle['lost']
  readonly closing: AbortController
  readonly budget: ReadBudget
  users: number
}

/**
 * An idle connection is closed after this. A connection that a router has dropped meanwhile would cost the next notification its 15 s and
 * a retry; a new one costs some milliseconds. So heartbeats are not needed, and are off if the protocol allows it.
 */
const idleMs = 30_000

/** @param greetingBytes how much the broker may send besides responses: its greeting, and unsolicited messages */
export function openBrokerConnection<C>(
  greetingBytes: number,
  connect: (handle: ConnectionHandle) => Promise<C>,
): BrokerConnection<C> {
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

  /** No further attempt uses the connection. It closes with its last user. */
  function retire(connection: Connection<C>) {
    if (current === connection) current = undefined
    if (connection.users === 0) close(connection)
  }

  function close(connection: Connection<C>) {
    if (current === connection) current = undefined
    all.delete(connection)
    // Only attempts in flight see this, when the channel is closed.
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
    async send(signal, responseBytes, work) {
      if (isDisposed || signal.aborted) throw new Unreachable(isDisposed ? 'is being closed' : 'timed out')
      clearTimeout(idle)
      current ??= open()
      const connection = current
      connection.users++
      connection.budget.reserve(responseBytes)
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      const abort = () => reject(new Unreachable('timed out'))
      signal.addEventListener('abort', abort, { once: true })
      try {
        const done = connection.ready.then((ready) => {
          // After an abort not a byte may be sent.
          if (signal.aborted) throw new Unreachable('timed out')
          return work(ready)
        })
        return await Promise.race([connection.ended, aborted, done])
      } catch (error) {
        retire(connection)
        if (error instanceof Refused) return { retry: false, reason: error.message }
        throw error instanceof Unreachable ? error : new Unreachable(formatFailure(Object(error)))
      } finally {
        signal.removeEventListener('abort', abort)
        connection.budget.release(responseBytes)
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
