import type { TestContext } from 'node:test'
import { type App, type AppDeps, startApp } from '#app.ts'
import { consoleKind } from '#channels/console.ts'
import { createClient, type DuebellClient } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { parseConfig } from '#config/config.ts'
import { outputTo } from './output.ts'
import { createRecorder, type Recorder } from './recording-channel.ts'

export interface LiveApp {
  readonly app: App
  readonly client: DuebellClient
  readonly recorder: Recorder
}

/** The whole server in this process, on a database of this test and the real clock, with a recording channel. */
export async function startLiveApp(
  t: TestContext,
  databaseUrl: string,
  {
    lines = [],
    recorder = createRecorder(),
    flags = [],
    ...deps
  }: { lines?: string[]; recorder?: Recorder; flags?: readonly string[] } & Partial<AppDeps> = {},
): Promise<LiveApp> {
  const catalog = [consoleKind, recorder.kind]
  const config = parseConfig({
    argv: ['--config=file', '--port=0', `--database-url=${databaseUrl}`, '--log-format=pretty', ...flags],
    env: {},
    readFile: () => JSON.stringify({ channels: [{ name: 'recording', kind: recorder.kind.kind }] }),
    systemTimeZone: 'UTC',
    catalog,
  })
  const app = await startApp(config, {
    clock: systemClock,
    output: outputTo(lines),
    catalog,
    onBroken: (error) => lines.push(`broken: ${error}`),
    ...deps,
  })
  t.after(() => app.stop())
  return { app, client: createClient(app.url, { tries: 1 }), recorder }
}
