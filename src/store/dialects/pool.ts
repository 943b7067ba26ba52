import { connectMs, DatabaseTimeout } from './server.ts'

/** A driver's pool. */
interface Pool<C> {
  connect(): Promise<C>
  release(connection: C): void
  /** Closes a connection and takes it out of the pool. */
  discard(connection: C): void
}

/**
 * Protects a driver's pool against networks that swallow packets:
 *
 * - A caller waits at most `connectMs` for a connection, whatever the cause of the delay.
 * - A connection without an answer is closed. It is not reused, because the next statement would get that answer.
 * - So is every other connection opened before then. Its answers are likely lost too, and to find out costs 3 s each: a pool of ten
 *   silent connections would refuse requests for half a minute after the network is back.
 */
export function guardPool<C extends object>(
  pool: Pool<C>,
): { acquire(): Promise<C>; release(connection: C): void } & {
  /** Call it for a connection that failed, before its release. */
  distrust(connection: C): void
} {
  let generation = 0
  const generationOf = new WeakMap<C, number>()
  const isTrusted = (connection: C) => generationOf.get(connection) === generation

  async function connect(): Promise<C> {
    for (;;) {
      const connection = await pool.connect()
      if (!generationOf.has(connection)) generationOf.set(connection, generation)
      if (isTrusted(connection)) return connection
      pool.discard(connection)
    }
  }

  function release(connection: C) {
    if (isTrusted(connection)) pool.release(connection)
    else pool.discard(connection)
  }

  return {
    acquire() {
      return new Promise((resolve, reject) => {
        let isOver = false
        const timer = setTimeout(() => {
          isOver = true
          reject(new DatabaseTimeout(`no connection within ${connectMs / 1_000} s`))
        }, connectMs)
        connect().then(
          (connection) => {
            clearTimeout(timer)
            if (isOver) release(connection)
            else resolve(connection)
          },
          (error) => {
            clearTimeout(timer)
            reject(error)
          },
        )
      })
    },
    release,
    distrust(connection) {
      // A connection of an older generation says nothing new.
      if (isTrusted(connection)) generation++
    },
  }
}
