import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { eventually } from '#kit/eventually.ts'
import { freePort } from '#kit/listen.ts'
import { type ServerProcess, spawnServer } from '#kit/server-process.ts'
import { onServer, servers, skipReason, temporaryFolder } from '#support/databases.ts'
import { brokers, skipReasonOfBroker, skipReasonOfProgram, startOwnPeer } from '#test/channels/peers.ts'
import { createCanaries } from './canaries.ts'
import { createOutputRecorder } from './output-recorder.ts'
import { secretKinds, secretOptions } from './secret-options.ts'

/**
 * The parts of the proof in leaks.test.ts that do not depend on the database: servers that do not start, one that crashes, and real brokers
 * with wrong passwords.
 */
const asLoud = ['--log-level', 'trace']

/** All its output, once it has ended. */
async function allOf({ ended, output }: ServerProcess) {
  const { code, signal } = await ended
  return { code, signal, text: output.stdout + output.stderr }
}

test('waiting for an unavailable database never prints its password, whichever option had it', async (t) => {
  const canaries = createCanaries()
  const password = canaries.make('the password')
  const port = await freePort()
  const file = join(temporaryFolder(t), 'url')
  const url = `postgres://me:${password}@127.0.0.1:${port}/duebell`
  writeFileSync(file, `${url}\n`)
  const ways: [flags: string[], env: Record<string, string>][] = [
    [['--database-url', url], {}],
    [[], { DUEBELL_DATABASE_URL: url.replace('postgres', 'mysql') }],
    [[], { DUEBELL_DATABASE_URL_FILE: file }],
    [[], { MYSQL_HOST: `127.0.0.1:${port}`, MYSQL_USER: 'me', MYSQL_PASSWORD: password }],
  ]
  await Promise.all(
    ways.map(async ([flags, env]) => {
      const server = spawnServer(t, [...asLoud, ...flags], env)
      await eventually('it waits', () => /does not answer: .*; waiting up to 60 s/.test(server.output.stdout))
      server.child.kill('SIGTERM')
      assert.deepEqual(canaries.findIn((await allOf(server)).text), [])
    }),
  )
})

test('a refused start gives a reason without a secret', async (t) => {
  const canaries = createCanaries()
  const secret = canaries.make('the secret')
  const folder = temporaryFolder(t)
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const options = { url: 'http://127.0.0.1:1/', topic: 'x', token: `${secret} ` }
  const starts: [flags: string[], env?: Record<string, string>][] = [
    [['--config', file('broken.json', `{"oidcClientSecret": "a", "channels": ${secret}}`)]],
    [['--config', file('wrong.json', JSON.stringify({ channels: [{ name: 'x', kind: 'ntfy', options }] }))]],
    [['--config', file('other.json', JSON.stringify({ timeZone: secret, oidcClientSecrt: secret, port: secret }))]],
    [['--oidc-client-secret', secret]],
    [['--database-url', 'postgres://me:a', `${secret}@127.0.0.1/duebell`]],
    [['--database-url', `postgres://me:1?${secret}@127.0.0.1/duebell`]],
    [[], { DUEBELL_OIDC_CLIENT_SECRET_FILE: secret, DUEBELL_HEARTBEAT_URL: secret, DUEBELL_DATABASE_URL: secret }],
    [['--help', secret]],
  ]
  await Promise.all(
    starts.map(async ([flags, env]) => {
      const { code, text } = await allOf(spawnServer(t, [...asLoud, ...flags], env))
      assert.equal(code, flags[0] === '--help' ? 0 : 2, text)
      assert.notEqual(text, '')
      assert.deepEqual(canaries.findIn(text), [], text)
    }),
  )
})

test('mysql: a refused password is not printed', { skip: await skipReason('mysql') }, async (t) => {
  const canaries = createCanaries()
  const [right, wrong] = [canaries.make('the right one'), canaries.make('a wrong one')]
  const user = `canary_${process.pid}`
  await onServer('mysql', `create user '${user}'@'127.0.0.1' identified by '${right}'`)
  t.after(() => onServer('mysql', `drop user '${user}'@'127.0.0.1'`))
  const { host, pathname } = new URL(servers.mysql)
  for (const password of [right, wrong]) {
    const url = `mysql://${user}:${password}@${host}${pathname}_of_nobody`
    const { code, text } = await allOf(spawnServer(t, asLoud, { DUEBELL_DATABASE_URL: url }))
    assert.match(text, /refused the connection: /)
    assert.equal(code, 2)
    assert.deepEqual(canaries.findIn(text), [], text)
  }
})

test('a secret given as a flag, which every user of the machine can read, causes a warning that does not repeat it', async (t) => {
  const canaries = createCanaries()
  const heartbeat = `http://127.0.0.1:${await freePort()}/${canaries.make('heartbeatUrl')}`
  const database = `sqlite:${temporaryFolder(t)}/test.db`
  const server = spawnServer(t, [...asLoud, '--database-url', database, '--heartbeat-url', heartbeat])
  await server.ready
  assert.equal(canaries.findIn(readFileSync(`/proc/${server.child.pid}/cmdline`, 'utf8')).length, 1, 'it is to be read')
  await eventually('it warns', () => server.output.stdout.includes('--heartbeat-url contains a secret'))
  server.child.kill('SIGTERM')
  const { text } = await allOf(server)
  assert.match(text, /set DUEBELL_HEARTBEAT_URL instead, or DUEBELL_HEARTBEAT_URL_FILE to the path of a file/)
  assert.deepEqual(canaries.findIn(text), [], text)
})

test('an unexpected error ends the server with its message and its stack, and without its other members', async (t) => {
  const canaries = createCanaries()
  const folder = temporaryFolder(t)
  const secrets = Object.fromEntries(['sql', 'options', 'cause'].map((name) => [name, canaries.make(name)]))
  // Injected from outside: no part of the server is known to fail so.
  const preload = join(folder, 'preload.mjs')
  writeFileSync(
    preload,
    `const fail = () => {
      const { sql, options, cause } = ${JSON.stringify(secrets)}
      return Object.assign(new Error('it broke', { cause: Object.assign(new Error('deep down'), { cause }) }), { sql, options: { password: options } })
    }
    process.on('SIGUSR2', () => { throw fail() })
    process.on('SIGHUP', () => { Promise.reject(fail()) })
    export { fail }`,
  )
  // Node itself prints all of it.
  const thrown = await new Promise<string>((resolve) =>
    execFile(
      process.execPath,
      ['-e', `import(${JSON.stringify(preload)}).then(({ fail }) => { throw fail() })`],
      (_, __, text) => resolve(text),
    ),
  )
  assert.equal(canaries.findIn(thrown).length, 3, thrown)

  await Promise.all(
    (['SIGUSR2', 'SIGHUP'] as const).map(async (signal, i) => {
      const database = `sqlite:${folder}/${i}.db`
      const server = spawnServer(t, [...asLoud, '--database-url', database], { NODE_OPTIONS: `--import=${preload}` })
      await server.ready
      server.child.kill(signal)
      const { code, text } = await allOf(server)
      assert.equal(code, 1)
      assert.match(text, /^duebell: Error: it broke\n +at /m)
      assert.deepEqual(canaries.findIn(text), [], text)
    }),
  )
})

test('errors of brokers and mail servers that refuse a password are reported without it', async (t) => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const database = `sqlite:${temporaryFolder(t)}/test.db`
  const server = spawnServer(t, [...asLoud, '--database-url', database])
  const url = await server.ready
  const peers = await startGuardedPeers(t, canaries.make('the right password'))
  for (const { kind, port, skip, expected } of peers)
    await t.test(kind, { skip }, async () => {
      const options = secretOptions(canaries, kind, { port }, 'wrong')
      const { body } = await outputs.ask('POST', `${url}/v1/channels/test`, { body: { kind, options } })
      assert.deepEqual([body.ok, body.would_retry], [false, false], JSON.stringify(body))
      assert.match(body.error, expected)
      await outputs.ask('POST', `${url}/v1/channels`, { body: { name: kind, kind, options } })
    })
  await outputs.ask('POST', `${url}/v1/tasks`, { body: { title: 'Fires', expiry_dt: new Date(Date.now() + 60_000) } })
  const made = peers.filter(({ skip }) => skip === false).length
  // Each channel reports failures of the others as well, so a channel may be named more than once.
  await eventually('each has been given up', () => {
    const lines = server.output.stdout.split('\n').filter((line) => line.includes('notification delivery failed'))
    return new Set(lines.map((line) => JSON.parse(line).channel)).size === made
  })
  for (const path of ['/v1/notifications', '/v1/channels', '/metrics']) await outputs.ask('GET', url + path)
  server.child.kill('SIGTERM')
  const { text } = await allOf(server)
  outputs.record('the log', text)
  assert.deepEqual(outputs.leaks(), [])
  assert.ok(peers.every(({ kind }) => secretKinds.includes(kind)))
})

interface GuardedPeer {
  readonly kind: string
  readonly port: number
  readonly skip: string | false
  readonly expected: RegExp
}

/** Real servers, each with a password that no client will have. */
async function startGuardedPeers(t: TestContext, password: string): Promise<GuardedPeer[]> {
  const folder = temporaryFolder(t)
  const settings = (name: string, text: (port: number) => string) => (port: number) => {
    writeFileSync(join(folder, name), text(port))
    return join(folder, name)
  }
  const mosquitto = settings('mosquitto.conf', (port) => `listener ${port} 127.0.0.1\nallow_anonymous false\n`)
  const nats = settings(
    'nats.conf',
    (port) => `listen: 127.0.0.1:${port}\nauthorization { user: me, password: "${password}" }\n`,
  )
  const own: [kind: string, program: string, argsOf: (port: number) => string[], ready: RegExp, expected: RegExp][] = [
    [
      'redis',
      'redis-server',
      (port) => ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--requirepass', password],
      /Ready to accept connections/,
      /^the user or password was refused: WRONGPASS$/,
    ],
    ['mqtt', 'mosquitto', (port) => ['-v', '-c', mosquitto(port)], /running$/, /^the broker says: not authorized$/],
    ['nats', 'nats-server', (port) => ['-c', nats(port)], /Server is ready/, /^the user, the password or the right/],
  ]
  const peers: GuardedPeer[] = []
  for (const [kind, program, argsOf, ready, expected] of own) {
    const skip = skipReasonOfProgram(program)
    const port = skip === false ? (await startOwnPeer(t, program, argsOf, ready)).port : 0
    peers.push({ kind, port, skip, expected })
  }
  const mail = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 1,
    onAuth: ({ username, password }, _, done) => done(new Error(`not ${username} with ${password}`)),
  })
  mail.on('error', () => {})
  mail.listen(0, '127.0.0.1')
  await once(mail.server, 'listening')
  t.after(() => new Promise<void>((resolve) => mail.close(() => resolve())))
  const { port } = mail.server.address() as AddressInfo
  peers.push({ kind: 'email', port, skip: false, expected: /^535: the user or password was refused$/ })
  const ofRabbit = { port: Number(new URL(brokers.amqp).port), skip: await skipReasonOfBroker('amqp') }
  peers.push({ kind: 'amqp', ...ofRabbit, expected: /^403 ACCESS_REFUSED: / })
  return peers
}
