import { connectMs, NoAnswer } from './server.ts'

/** A driver's pool. */
interface Pool<C> {
  connect(): Promise<C>
  release(connection: C): void
  /** Closes a connection and takes it out of the pool. */
  discard(connection: C): void
}

/**
 * What a driver's pool does not know of networks that swallow packets:
 *
 * - Nobody waits for a connection longer than `connectMs`, whatever it is that takes so long.
 * - A connection on which an answer did not come is closed, not given to the next, who would get that answer.
 * - And so is every other that was opened before then. What swallowed one answer has likely swallowed theirs, and to find it
 *   out costs 3 s each: a pool of ten silent ones would refuse requests for half a minute after the network is back.
 */
export function guardPool<C extends object>(
  pool: Pool<C>,
): { acquire(): Promise<C>; release(connection: C): void } & {
  /** To be called for a connection that failed, before it is released. */
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
          reject(new NoAnswer(`no connection within ${connectMs / 1_000} s`))
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
      // One of an older generation tells nothing new.
      if (isTrusted(connection)) generation++
    },
  }
}
