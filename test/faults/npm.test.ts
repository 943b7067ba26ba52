import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '#kit/eventually.ts'
import { temporaryFolder } from '#support/databases.ts'

/** The commands of the README, run by a supervisor: it knows npm's process and no other. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const skip =
  process.platform === 'win32' || spawnSync('npm', ['--version']).status !== 0
    ? 'there is no npm in a POSIX shell'
    : false

interface Answer {
  readonly url: string
  /** Ends when npm does. */
  readonly stop: () => Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

async function start(t: TestContext, command: readonly string[], database: string): Promise<Answer> {
  const flags = ['--port', '0', '--log-format', 'json', '--database-url', `sqlite:${database}`]
  // A group of its own: if the test fails, all processes that npm has started end with it.
  const npm = spawn('npm', [...command, ...flags], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(npm, 'exit').then(([code, signal]) => ({ code, signal }))
  t.after(() => {
    try {
      process.kill(-(npm.pid as number), 'SIGKILL')
    } catch {
      // No process of the group is left.
    }
  })
  let output = ''
  npm.stdout.on('data', (text) => {
    output += text
  })
  npm.stderr.on('data', (text) => {
    output += text
  })
  const found = () => /listening on (http:[^ ,"]+)/.exec(output)?.[1]
  await Promise.race([
    eventually('the server listens', () => found() !== undefined),
    ended.then(() => assert.fail(`npm ended: ${output}`)),
  ])
  const stop = () => {
    npm.kill('SIGTERM')
    return ended
  }
  return { url: found() as string, stop }
}

for (const [name, command] of [
  ['npm start', ['start', '--']],
  ['npm run duebell', ['run', 'duebell', '--', 'serve']],
] as const)
  test(`SIGTERM to ${name} stops the server, and the next start finds the database free`, { skip }, async (t) => {
    const database = `${temporaryFolder(t)}/duebell.db`
    for (let round = 0; round < 2; round++) {
      const { url, stop } = await start(t, command, database)
      assert.equal((await fetch(`${url}/livez`)).status, 200)
      assert.deepEqual(await stop(), { code: 0, signal: null })
      await assert.rejects(fetch(`${url}/livez`), 'nobody answers any more')
    }
  })

test('on a Node that is too old, or without packages, one sentence says what to do', { skip }, () => {
  const file = `${root}src/compile-cache.js`
  const pretend = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });"
  const { status, stderr } = spawnSync(process.execPath, ['--eval', `${pretend} import(${JSON.stringify(file)})`])
  assert.equal(status, 2)
  assert.match(
    String(stderr),
    /^duebell: Duebell needs Node 26, and this is Node 20\.20\.2\. .*--ignore-scripts=false.*\n$/,
  )
})
