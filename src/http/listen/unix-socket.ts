import { once } from 'node:events'
import { chmodSync, linkSync, lstatSync, mkdtempSync, rmSync, type Stats, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { platform } from 'node:os'
import { dirname, join } from 'node:path'
import { Problem } from '#core/problem.ts'

/** What programs can name when they connect; Linux itself would bind one byte more. */
const maxBytes = platform() === 'linux' ? 107 : 103

/** What is wrong with a path to listen at, if anything. */
export function socketFault(path: string): string | undefined {
  // To Linux a name with a NUL in front is no file, and so everybody's.
  if (path.includes('\0')) return 'must be a path'
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(hiddenPath(path, 'XXXXXX'))) <= maxBytes) return undefined
  return `is too long: a socket's path has at most ${maxBytes} bytes, and its folder's at most ${maxBytes - hiddenBytes}`
}

const hiddenPath = (path: string, random: string) => join(dirname(path), `.${random}`, 's')
const hiddenBytes = '/.XXXXXX/s'.length

/**
 * Listens at a path in the file system, for this user alone.
 *
 * Who may write to a socket may connect to it, and Node binds, listens and answers before it could be told another mode than the
 * umask leaves. So the socket is made in a folder of mode 0700 beside its place, which nobody else can enter, is given its mode there,
 * and then its name: a link, which fails where there is something. Not by the umask: that is the whole process's, and its threads
 * make files meanwhile.
 * @throws Problem `unavailable`
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  await makeRoom(path)
  const folder = mkdtempSync(`${dirname(path)}/.`) // of mode 0700
  try {
    const hidden = join(folder, 's')
    server.listen(hidden)
    await once(server, 'listening')
    chmodSync(hidden, 0o600)
    linkSync(hidden, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken(path, error)
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
  const mine = lstatSync(path)
  server.once('close', () => {
    if (isSame(lookAt(path), mine)) unlinkSync(path) // not that of a successor
  })
}

/** Removes the socket of a process that was killed. Nothing else, ever. */
async function makeRoom(path: string): Promise<void> {
  const found = lookAt(path)
  if (!found) return
  if (!found.isSocket())
    throw new Problem(
      'unavailable',
      `${path} is there already and is no socket: choose another --socket, or move it away.`,
    )
  const answer = await knock(path)
  if (answer === 'ENOENT') return
  if (answer === 'EACCES')
    throw new Problem('unavailable', `${path} is a socket of another user: choose another --socket, or move it away.`)
  if (answer !== 'ECONNREFUSED') throw taken(path, answer)
  if (isSame(lookAt(path), found)) unlinkSync(path)
}

const taken = (path: string, cause: unknown) =>
  new Problem('unavailable', `Another program listens at ${path}: choose another --socket, or stop that one.`, {
    cause,
  })

/** @returns the code with which nobody answered, or that somebody did */
function knock(path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket = connect(path)
  socket.on('connect', () => resolve('answered'))
  socket.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => resolve(code))
  return promise.finally(() => socket.destroy())
}

function lookAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function isSame(one: Stats | undefined, other: Stats): boolean {
  return one?.ino === other.ino && one.dev === other.dev
}
