import type { TestContext } from 'node:test'
import { type App, type AppDeps, startApp } from '#app.ts'
import { consoleKind } from '#channels/console.ts'
import { createClient, type DuebellClient } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { parseConfig } from '#config/config.ts'
import { type Recorder, recorder } from './recording-channel.ts'

export interface LiveApp {
  readonly app: App
  readonly client: DuebellClient
  readonly bell: Recorder
}

/** The whole server in this process, on a database of the test's and the machine's own clock, with a recording channel. */
export async function startLiveApp(
  t: TestContext,
  databaseUrl: string,
  {
    lines = [],
    bell = recorder(),
    flags = [],
    ...deps
  }: { lines?: string[]; bell?: Recorder; flags?: readonly string[] } & Partial<AppDeps> = {},
): Promise<LiveApp> {
  const catalog = [consoleKind, bell.kind]
  const config = parseConfig({
    argv: ['--config=file', '--port=0', `--database-url=${databaseUrl}`, '--log-format=pretty', ...flags],
    env: {},
    readFile: () => JSON.stringify({ channels: [{ name: 'recording', kind: bell.kind.kind }] }),
    systemTimeZone: 'UTC',
    catalog,
  })
  const output = {
    writableLength: 0,
    write(text: string, done?: () => void) {
      lines.push(text)
      done?.()
    },
  }
  const app = await startApp(config, {
    clock: systemClock,
    output,
    catalog,
    onBroken: (error) => lines.push(`broken: ${error}`),
    ...deps,
  })
  t.after(() => app.stop())
  return { app, client: createClient(app.url, { tries: 1 }), bell }
}
