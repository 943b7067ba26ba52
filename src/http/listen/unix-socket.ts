import { once } from 'node:events'
import { chmodSync, linkSync, lstatSync, mkdtempSync, rmSync, type Stats, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { platform } from 'node:os'
import { dirname, join } from 'node:path'
import { Problem } from '#core/problem.ts'

/** The longest path that clients can connect to; Linux would bind one byte more. */
const maxPathBytes = platform() === 'linux' ? 107 : 103

/** Returns the fault of a path to listen at, if it has one. */
export function socketFault(path: string): string | undefined {
  // On Linux a name that begins with NUL is abstract: no file, and open to every user.
  if (path.includes('\0')) return 'must be a path'
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(temporaryPath(path, 'XXXXXX'))) <= maxPathBytes)
    return undefined
  return `is too long: a socket's path has at most ${maxPathBytes} bytes, and its folder's at most ${maxPathBytes - temporaryBytes}`
}

const temporaryPath = (path: string, random: string) => join(dirname(path), `.${random}`, 's')
const temporaryBytes = '/.XXXXXX/s'.length

/**
 * Listens at a path in the file system, for this user alone.
 *
 * A user that may write to a socket may connect to it. Node binds, listens and answers before the mode can be changed from what the umask
 * leaves. So the socket is created in a folder of mode 0700 beside its path, which no other user can enter. It gets its mode there, and
 * then its name by a link, which fails where a file exists. Rejected: the umask, which applies to the whole process, whose threads create
 * files meanwhile.
 * @throws Problem `unavailable`
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  await removeStaleSocket(path)
  const folder = mkdtempSync(`${dirname(path)}/.`) // of mode 0700
  try {
    const temporary = join(folder, 's')
    server.listen(temporary)
    await once(server, 'listening')
    chmodSync(temporary, 0o600)
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw inUse(path, error)
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
  const own = lstatSync(path)
  server.once('close', () => {
    if (isSame(statOf(path), own)) unlinkSync(path) // not that of a successor
  })
}

/** Removes the socket of a process that was killed, and nothing else. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = statOf(path)
  if (!found) return
  if (!found.isSocket())
    throw new Problem(
      'unavailable',
      `${path} exists and is not a socket. Choose another path with --socket, or move the file.`,
    )
  const result = await probe(path)
  if (result === 'ENOENT') return
  if (result === 'EACCES')
    throw new Problem(
      'unavailable',
      `${path} is a socket of another user. Choose another path with --socket, or move the socket.`,
    )
  if (result !== 'ECONNREFUSED') throw inUse(path, result)
  if (isSame(statOf(path), found)) unlinkSync(path)
}

const inUse = (path: string, cause: unknown) =>
  new Problem('unavailable', `Another process listens at ${path}. Stop it, or choose another path with --socket.`, {
    cause,
  })

/** Connects to a socket. @returns `connected`, or the code of the error */
function probe(path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket = connect(path)
  socket.on('connect', () => resolve('connected'))
  socket.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => resolve(code))
  return promise.finally(() => socket.destroy())
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function isSame(one: Stats | undefined, other: Stats): boolean {
  return one?.ino === other.ino && one.dev === other.dev
}
