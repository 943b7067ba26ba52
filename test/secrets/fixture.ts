import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { hashSecret } from '#actions/tokens.ts'
import { type HttpReceiver, startHttpReceiver } from '#kit/http-receiver.ts'
import { type ServerProcess, spawnServer } from '#kit/server-process.ts'
import { temporaryFolder, testDatabase } from '#support/databases.ts'
import { type BadOidcProvider, startBadOidcProvider } from './bad-oidc-provider.ts'
import { type BadReceivers, faults, startBadReceivers } from './bad-receivers.ts'
import { type Canaries, createCanaries } from './canaries.ts'
import { type Answered, type Asking, createOutputRecorder, type OutputRecorder } from './output-recorder.ts'
import { openSecretDatabase, type SecretDatabase } from './secret-database.ts'
import { secretKinds, secretOptions, shownToItsUser } from './secret-options.ts'

/** A real server at its most verbose log level, with a canary in every secret of its configuration, and all its peers. */
export interface CanaryFixture {
  readonly canaries: Canaries
  readonly outputs: OutputRecorder
  readonly database: SecretDatabase
  readonly receivers: BadReceivers
  readonly provider: BadOidcProvider
  /** The receiver of its heartbeat. */
  readonly deadMan: HttpReceiver
  /** The current process of the server. */
  readonly url: string
  readonly output: ServerProcess['output']
  /** The environment of its `command` channel. */
  childEnvironment(): Record<string, string>
  ask(method: string, path: string, asking?: Asking): Promise<Answered>
  /** For a response that shows a generated secret: it may be there, and nowhere else. @returns it */
  learn(what: string, of: (answer: Answered) => unknown, asked: (shown: string[]) => Promise<Answered>): Promise<string>
  /** Options of a channel that is created over the API. Its user may see its address. */
  draft(name: string, kind: string, fault: (typeof faults)[number]): { name: string; kind: string; options: object }
  /** The options of those channels that their user may see. */
  readonly addresses: string[]
  /** @param shown secrets that are allowed on its standard output */
  start(shown?: readonly string[]): Promise<void>
  stop(): Promise<void>
  /** Not a graceful stop: requests that hang would delay it for seconds. */
  kill(): Promise<void>
}

export async function startCanaryFixture(t: TestContext): Promise<CanaryFixture> {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const folder = temporaryFolder(t)
  const database = await openSecretDatabase(t, canaries)
  const receivers = await startBadReceivers(t)
  const provider = await startBadOidcProvider(t)
  const deadMan = await startHttpReceiver(t, ({ path }, response) => response.writeHead(503, 'No').end(path))

  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const dump = join(folder, 'child.json')
  const argv = [process.execPath, file('program.mjs', programText(dump)), canaries.make('command.argv')]
  const declared = secretKinds.flatMap((kind) =>
    faults.map((fault) => {
      const name = `${fault}-${kind}`
      return { name, kind, options: secretOptions(canaries, kind, receivers.place(kind, fault), name) }
    }),
  )
  const oidcClientSecret = canaries.make('config.oidcClientSecret', (mark) => `${mark}+/%&=: ü`)
  const channels = [...declared, { name: 'command', kind: 'command', options: { argv } }]
  const flags = [
    ...['--config', file('config.json', JSON.stringify({ oidcClientSecret, channels }))],
    ...['--public-url', 'https://bell.example.org', '--oidc-issuer', provider.url, '--oidc-client-id', 'duebell'],
    ...[
      '--login',
      '--rate-limit',
      '0',
      '--log-level',
      'debug',
      '--log-format',
      testDatabase === 'sqlite' ? 'pretty' : 'json',
    ],
  ]
  const env = {
    DUEBELL_DATABASE_URL_FILE: file('database-url', database.url),
    DUEBELL_HEARTBEAT_URL: `${deadMan.url}/ping/${canaries.make('config.heartbeatUrl')}?x=1`,
  }

  let server: ServerProcess
  let learned = 0
  const fixture: CanaryFixture = {
    canaries,
    outputs,
    database,
    receivers,
    provider,
    deadMan,
    url: '',
    get output() {
      return server.output
    },
    childEnvironment: () => JSON.parse(readFileSync(dump, 'utf8')),
    ask: (method, path, asking) => outputs.ask(method, fixture.url + path, asking),
    async learn(what, of, asked) {
      const name = `${what} ${++learned}`
      const answer = await asked([name])
      const secret = of(answer)
      assert.ok(typeof secret === 'string', `${what}: ${answer.status} ${answer.text}`)
      const hash = hashSecret(secret)
      if (hash !== undefined) canaries.add(`hash of ${name}`, hash)
      return canaries.add(name, secret)
    },
    draft(name, kind, fault) {
      for (const member of shownToItsUser) if (member === `${kind}.url`) fixture.addresses.push(`${name}: ${member}`)
      return { name, kind, options: secretOptions(canaries, kind, receivers.place(kind, fault), name) }
    },
    addresses: [],
    async start(shown) {
      server = spawnServer(t, flags, env)
      outputs.follow(server, shown)
      Object.assign(fixture, { url: await server.ready })
    },
    async stop() {
      server.child.kill('SIGTERM')
      assert.deepEqual(await server.ended, { code: 0, signal: null }, server.output.stderr)
    },
    async kill() {
      server.child.kill('SIGKILL')
      await server.ended
    },
  }
  return fixture
}

/** A program of the administrator: writes down its input, and fails. */
const programText = (dump: string) => `
import { renameSync, writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(dump)} + process.pid, JSON.stringify(process.env))
renameSync(${JSON.stringify(dump)} + process.pid, ${JSON.stringify(dump)}) // complete, even if a process is killed in between
console.error('this is not what it should be')
process.exit(1)
`
