import type { TestContext } from 'node:test'
import type { AppDeps } from '#app.ts'
import { type App, startApp } from '#app.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { consoleKind } from '#channels/console.ts'
import { webhookKind } from '#channels/webhook.ts'
import { createClient, type DuebellClient } from '#client/client.ts'
import { parseConfig } from '#config/config.ts'
import { migratedDatabase } from './databases.ts'
import { type FakeClock, fakeClock } from './fake-clock.ts'
import { outputTo } from './output.ts'
import { createRecorder, type Recorder } from './recording-channel.ts'
import { stopWithFakeClock } from './stop-with-fake-clock.ts'

export interface TestApp {
  readonly client: DuebellClient
  readonly clock: FakeClock
  /** A channel besides the console, with a name and the kind `recording`. */
  readonly recorder: Recorder
  /** The lines of standard output. */
  readonly lines: string[]
  readonly app: App
  readonly url: string
  /** Stops, and starts again on the same data; the argument changes the configuration. */
  restart(options?: TestAppOptions): Promise<void>
  stop(): Promise<void>
}

export interface TestAppOptions {
  readonly flags?: readonly string[]
  readonly startAt?: string
  readonly channels?: readonly object[]
  readonly kinds?: readonly ChannelKind[]
  readonly wrapDatabase?: AppDeps['wrapDatabase']
  readonly zoneRules?: string
}

/** The whole server in this process, with its own port, database and fake clock. */
export async function startTestApp(t: TestContext, options: TestAppOptions = {}): Promise<TestApp> {
  const url = await migratedDatabase(t)
  const clock = fakeClock(options.startAt)
  const recorder = createRecorder()
  const lines: string[] = []
  let app: App

  async function start(more: TestAppOptions = {}) {
    const { flags = [], channels, kinds = [], wrapDatabase, zoneRules } = { ...options, ...more }
    const catalog = [consoleKind, webhookKind, recorder.kind, ...kinds]
    const file = { channels: channels ?? [{ name: 'recording', kind: 'recording' }] }
    const config = parseConfig({
      argv: ['--config=file', '--port=0', `--database-url=${url}`, '--log-format=pretty', ...flags],
      env: {},
      readFile: () => JSON.stringify(file),
      systemTimeZone: 'UTC',
      catalog,
    })
    app = await startApp(config, {
      clock,
      output: outputTo(lines),
      catalog,
      onBroken: (error) => lines.push(`broken: ${error}`),
      ...(wrapDatabase && { wrapDatabase }),
      ...(zoneRules && { zoneRules }),
    })
    clock.whenIdle = app.idle
  }

  await start()
  const testApp: TestApp = {
    get client() {
      return createClient(app.url, { tries: 1, timeoutMs: 60_000 }) // the first response of the server, not the result of a retry
    },
    clock,
    recorder,
    lines,
    get app() {
      return app
    },
    get url() {
      return app.url
    },
    async restart(more) {
      await testApp.stop()
      await start(more)
    },
    async stop() {
      clock.whenIdle = async () => {}
      await app.stop()
    },
  }
  t.after(() => stopWithFakeClock(clock, testApp.stop()))
  return testApp
}
