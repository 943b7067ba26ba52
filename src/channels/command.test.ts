import assert from 'node:assert/strict'
import { existsSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryFolder } from '#support/databases.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { channelDeps, send } from '#test/channels/peers.ts'
import { commandKind } from './command.ts'

const run = (script: string, ...rest: string[]) => ({ argv: ['/bin/sh', '-c', script, 'sh', ...rest] })

async function outcomeOf(t: TestContext, script: string, ...rest: string[]) {
  const channel = await commandKind.open(run(script, ...rest), channelDeps)
  t.after(() => channel[Symbol.asyncDispose]())
  return send(channel, messageAbout({ title: '$(id) `id` "; id\r\n' }))
}

/** Resolves once the file exists. */
async function waitFor(folder: string, name: string): Promise<void> {
  const stop = new AbortController()
  await new Promise<void>((resolve) => {
    const check = () => existsSync(join(folder, name)) && resolve()
    watch(folder, { signal: stop.signal }, check)
    check()
  })
  stop.abort()
}

/** Resolves once the process has ended. A zombie, which its new parent has not reaped yet, has no command line. */
async function assertEnded(pid: number): Promise<void> {
  const commandLine = () => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      return ''
    }
  }
  while (commandLine().includes('sleep')) await new Promise((resolve) => setImmediate(resolve))
}

test('the program gets the event and the id of the delivery, and nothing of the server', async (t) => {
  process.env.DUEBELL_CANARY = 'canary'
  t.after(() => delete process.env.DUEBELL_CANARY)
  const folder = temporaryFolder(t)
  assert.equal(await outcomeOf(t, 'cat > "$1/event"; env > "$1/env"', folder), 'sent')
  const event = JSON.parse(readFileSync(join(folder, 'event'), 'utf8'))
  assert.equal(event.data.task.title, '$(id) `id` "; id\r\n')
  const names = readFileSync(join(folder, 'env'), 'utf8').trim().split('\n')
  const own = names
    .map((line) => line.split('=')[0])
    .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? ''))
  assert.deepEqual(own.sort(), ['DUEBELL_DELIVERY_ID', 'HOME', 'LANG', 'PATH'])
  assert.ok(names.includes('DUEBELL_DELIVERY_ID=0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10'))
})

for (const [what, script, outcome] of [
  ['reads nothing', 'exit 0', 'sent'],
  ['fails', 'exit 3', { retry: true, reason: 'exit status 3' }],
  [
    'says why',
    'printf "\\n  no \\033[31mroute\\nmore" >&2; exit 1',
    { retry: true, reason: 'exit status 1: no [31mroute' },
  ],
  ['is set up wrongly', 'echo no key >&2; exit 78', { retry: false, reason: 'exit status 78: no key' }],
  ['is killed', 'kill -9 $$', { retry: true, reason: 'ended by SIGKILL' }],
] as const)
  test(`a program that ${what}`, async (t) => {
    assert.deepEqual(await outcomeOf(t, script), outcome)
  })

test('a program that never stops writing is killed, with all of its children', async (t) => {
  const folder = temporaryFolder(t)
  const outcome = await outcomeOf(t, 'sleep 600 & echo $! > "$1/child"; while :; do cat /dev/zero; done >&2', folder)
  assert.deepEqual(outcome, { retry: true, reason: 'the program wrote more than 1 MiB to standard error' })
  await assertEnded(Number(readFileSync(join(folder, 'child'), 'utf8')))
})

test('a program that leaves a child with its output behind has ended', async (t) => {
  const outcome = await outcomeOf(t, 'sleep 600 & echo $! >&2; exit 4')
  const [, pid] = /^exit status 4: (\d+)$/.exec(typeof outcome === 'object' ? outcome.reason : '') ?? []
  assert.ok(pid, JSON.stringify(outcome))
  process.kill(Number(pid))
})

test('one line is kept of a long error output', async (t) => {
  const outcome = await outcomeOf(t, 'head -c 1000000 /dev/zero | tr "\\0" x >&2; exit 1')
  assert.ok(typeof outcome === 'object' && outcome.reason.length < 250, JSON.stringify(outcome).slice(0, 300))
})

test('a missing program', async () => {
  await using channel = await commandKind.open({ argv: ['/nonexistent/program'] }, channelDeps)
  assert.deepEqual(await send(channel, messageAbout({})), {
    retry: true,
    reason: 'the program cannot be started: ENOENT',
  })
})

for (const how of ['the signal', 'closing the channel'])
  test(`${how} kills the program and all of its children`, async (t) => {
    const folder = temporaryFolder(t)
    const channel = await commandKind.open(
      run('sleep 600 & echo $! > "$1/pid.tmp"; mv "$1/pid.tmp" "$1/pid"; wait', folder),
      channelDeps,
    )
    const giveUp = new AbortController()
    const inFlight = send(channel, messageAbout({}), giveUp.signal)
    await waitFor(folder, 'pid')
    if (how === 'the signal') giveUp.abort()
    else await channel[Symbol.asyncDispose]()
    assert.deepEqual(await inFlight, { retry: true, reason: 'timed out' })
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    await assertEnded(pid)
    await channel[Symbol.asyncDispose]()
  })

test('only the configuration file may name a program', () => assert.equal(commandKind.isConfigOnly, true))
