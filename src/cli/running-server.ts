import { createClient, type DuebellClient, ProblemError } from '#client/client.ts'
import { socketFetch } from '#client/socket-fetch.ts'
import { Problem } from '#core/problem.ts'

/** Makes a client that acts for a user; for the first one without an id. */
type Connect = (userId?: number) => DuebellClient

/**
 * Works with a running server over its control socket (http/listen/control-socket.ts).
 * @returns undefined when no server is running
 * @throws Problem for an error response, or when the server cannot be reached
 */
export async function withRunningServer<T>(
  socketPath: string,
  work: (connect: Connect) => Promise<T>,
): Promise<T | undefined> {
  const fetch = socketFetch(socketPath)
  const connect: Connect = (userId) => {
    const headers = userId === undefined ? {} : { 'duebell-user': String(userId) }
    // The command uses the database if no server is running. A retry would only delay that.
    return createClient('http://localhost', { fetch, headers, tries: 1 })
  }
  try {
    return await work(connect)
  } catch (error) {
    if (error instanceof ProblemError)
      throw new Problem(error.status === 404 ? 'not-found' : 'invalid', error.problem.detail)
    const { name, code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    if (name === 'TimeoutError') throw new Problem('unavailable', 'The server does not respond.')
    if (typeof code === 'string') throw new Problem('unavailable', `The server cannot be reached: ${code}.`)
    throw error
  }
}
