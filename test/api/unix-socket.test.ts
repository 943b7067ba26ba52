import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { listenAt } from '#http/listen/unix-socket.ts'
import { assertProblem, rawRequest } from '#kit/http-requests.ts'
import { spawnServer } from '#kit/server-process.ts'
import { temporaryFolder } from '#support/databases.ts'
import { startTestApp } from '#support/test-app.ts'

/** A socket in the file system instead of a port: for programs of this user. */
const livez = (path: string) => rawRequest(`unix:${path}`, ['GET /livez HTTP/1.1', 'Host: localhost'])
const startAt = (t: TestContext, path: string) => startTestApp(t, { flags: [`--socket=${path}`] })

async function sentence(starting: Promise<unknown>): Promise<string> {
  const outcome = await starting.catch((error: unknown) => error)
  assert.ok(outcome instanceof Problem, 'did not start')
  return outcome.message
}

/** The socket of a killed process, on which no process listens. */
async function leaveSocket(t: TestContext, path: string): Promise<void> {
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.ok(lstatSync(path).isSocket(), 'it is still there')
}

test('with --socket', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'duebell.sock')
  const { url, lines, stop } = await startAt(t, path)

  await t.test('the server listens there, and prints its path', async () => {
    assert.equal(url, `unix:${path}`)
    assert.equal(lines.filter((line) => line.includes(' is listening on ')).length, 1)
    assert.ok(lines.some((line) => line.includes(` is listening on unix:${path}, `)))
    assert.equal((await livez(path)).text, 'Alive')
  })

  await t.test('only this user may connect, and no other file is left in its folder', () => {
    const { mode } = lstatSync(path)
    assert.equal(mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(folder), ['duebell.sock'])
  })

  await t.test('any Host is accepted: no browser can be made to use the socket', async () => {
    for (const name of ['localhost', 'tasks', 'tasks.example:8888', 'evil.example', 'x'])
      assert.equal((await rawRequest(url, ['GET /v1/tasks HTTP/1.1', `Host: ${name}`])).status, 200, name)
    assertProblem(await rawRequest(url, ['GET /v1/tasks HTTP/1.1']), 400, 'Host')
    assertProblem(await rawRequest(url, ['GET /v1/tasks HTTP/1.1', 'Host: a', 'Host: b']), 400, 'Host')
    assert.equal((await rawRequest(url, ['GET /v1/tasks HTTP/1.0'])).status, 200)
  })

  await t.test('all else is as on loopback without login', async () => {
    const ask = (line: string) => rawRequest(url, ['DELETE /v1/tasks HTTP/1.1', 'Host: localhost', line])
    assertProblem(await ask('X-Forwarded-For: 127.0.0.1'), 403, 'forwarded')
    assertProblem(await ask('Origin: https://evil.example'), 403, 'another site')
    assertProblem(await rawRequest(url, ['nonsense']), 400)
    assertProblem(await rawRequest(url, ['GET / HTTP/1.1', `X-Long: ${'x'.repeat(20_000)}`]), 431)
  })

  await t.test('it is removed when the server has stopped, even if a client was connected', async (t) => {
    const socket = connect(path)
    t.after(() => socket.destroy())
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n') // and stays
    await once(socket, 'data')
    const ended = once(socket, 'close')
    await stop()
    await ended
    assert.deepEqual(readdirSync(folder), [])
  })
})

test('until only this user may connect, it has no name and is in a folder of this user', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 's')
  const server = createServer()
  t.after(() => server.close())
  const asItListens = once(server, 'listening').then(() =>
    readdirSync(folder).map((name) => [name.length, lstatSync(join(folder, name)).mode & 0o777]),
  )
  await listenAt(server, path)
  assert.deepEqual(await asItListens, [['.XXXXXX'.length, 0o700]])
  assert.deepEqual(readdirSync(folder), ['s'])
  assert.equal(lstatSync(path).mode & 0o777, 0o600)
})

test('a path without a folder is in the working directory', async (t) => {
  const folder = temporaryFolder(t)
  const database = ['--database-url', `sqlite:${folder}/duebell.db`]
  const server = spawnServer(t, ['--socket', 's', ...database], {}, folder)
  assert.equal(await server.ready, 'unix:s')
  assert.equal((await livez(join(folder, 's'))).status, 200)
  server.child.kill('SIGTERM')
  assert.equal((await server.ended).code, 0)
  assert.ok(!existsSync(join(folder, 's')))
})

test('a leftover socket is replaced', async (t) => {
  const path = join(temporaryFolder(t), 's')
  await leaveSocket(t, path)
  const { stop } = await startAt(t, path)
  assert.equal((await livez(path)).status, 200)
  await stop()
  assert.ok(!existsSync(path))
})

test('a socket of a running process is not touched', async (t) => {
  const path = join(temporaryFolder(t), 's')
  const first = await startAt(t, path)
  assert.equal(
    await sentence(startAt(t, path)),
    `Another process listens at ${path}. Stop it, or choose another path with --socket.`,
  )
  assert.equal((await livez(path)).status, 200)
  await first.stop()
  await startAt(t, path)
})

test('a file that is no socket is never removed', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 's')
  const away = join(folder, 'away')
  const live = createServer().listen(join(folder, 'live'))
  t.after(() => live.close())
  const makers: Record<string, () => void> = {
    file: () => writeFileSync(path, 'precious'),
    folder: () => mkdirSync(path),
    'link to a file': () => symlinkSync(away, path),
    'link to nothing': () => symlinkSync(join(folder, 'nothing'), path),
    'link to a socket': () => symlinkSync(join(folder, 'live'), path),
  }
  writeFileSync(away, 'precious')
  for (const [what, make] of Object.entries(makers)) {
    make()
    const before = lstatSync(path)
    const words = await sentence(startAt(t, path))
    assert.equal(
      words,
      `${path} exists and is not a socket. Choose another path with --socket, or move the file.`,
      what,
    )
    assert.deepEqual([lstatSync(path).ino, lstatSync(path).mtimeMs], [before.ino, before.mtimeMs], what)
    renameSync(path, join(folder, `was a ${what}`))
  }
  assert.equal(readFileSync(join(folder, 'was a file'), 'utf8'), 'precious')
  assert.equal(readFileSync(away, 'utf8'), 'precious')
})

test("at a stop the file at its path is removed only if it is the server's own socket", async (t) => {
  const path = join(temporaryFolder(t), 's')
  const first = await startAt(t, path)
  renameSync(path, `${path}.old`)
  const second = await startAt(t, path)
  await first.stop()
  assert.equal((await livez(path)).status, 200)
  await second.stop()
  assert.ok(!existsSync(path))
})

test('a missing folder, or a path that is none, is reported', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'file'), '')
  for (const path of [join(folder, 'none', 's'), join(folder, 'file', 's')])
    assert.equal(
      await sentence(startAt(t, path)),
      `The folder of ${path} does not exist. Create it, or choose another path with --socket.`,
    )
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('the longest allowed path works, and one byte more is a fault of the configuration', async (t) => {
  const folder = temporaryFolder(t)
  const longest = process.platform === 'linux' ? 107 : 103
  const path = join(folder, 'x'.repeat(longest - folder.length - 1))
  assert.equal(path.length, longest)
  await startAt(t, path)
  assert.equal((await livez(path)).status, 200)
  await assert.rejects(startAt(t, `${path}x`), /^ConfigError: --socket: is too long/)
})

test('the real server', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'duebell.sock')
  const start = (name: string) => spawnServer(t, ['--socket', path, '--database-url', `sqlite:${folder}/${name}.db`])

  await t.test('replaces its own socket after it was killed', async () => {
    const first = start('a')
    assert.equal(await first.ready, `unix:${path}`)
    first.child.kill('SIGKILL')
    await first.ended
    assert.ok(lstatSync(path).isSocket(), 'left behind')
    const second = start('a')
    await second.ready
    assert.equal((await livez(path)).status, 200)
    assert.equal(lstatSync(path).mode & 0o777, 0o600)

    const third = start('b')
    assert.equal((await third.ended).code, 2)
    assert.equal(
      third.output.stderr,
      `duebell: Another process listens at ${path}. Stop it, or choose another path with --socket.\n`,
    )

    second.child.kill('SIGTERM')
    assert.equal((await second.ended).code, 0)
    assert.ok(!existsSync(path))
  })

  await t.test('ends with code 2 and a sentence if it cannot listen', async () => {
    writeFileSync(path, 'precious')
    const { ended, output } = start('c')
    assert.equal((await ended).code, 2)
    assert.match(
      output.stderr,
      /^duebell: .* exists and is not a socket\. Choose another path with --socket, or move the file\.\n$/,
    )
    assert.equal(readFileSync(path, 'utf8'), 'precious')
  })
})
