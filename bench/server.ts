import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '#kit/listen.ts'
import { duebell } from '#kit/server-process.ts'

/** The real server in a process of its own, started as `npm start` starts it. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
  /** ms from the spawn to the first 200 of /readyz. */
  readonly readyMs: number
  /** Sends SIGTERM, and resolves at the end of the process. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** A file for SQLite. */
  readonly databasePath: string
  /** Another database. The file then only decides the folder of the configuration. */
  readonly databaseUrl?: string
  readonly port?: number
  /** PT15M by default, as in seeded databases. */
  readonly defaultReminders?: string
  /** Channels besides the console. The configuration file is written next to the database. */
  readonly channels?: readonly object[]
  /** Called with each chunk of standard output. Without it nothing is read, and nothing is written. */
  readonly onOutput?: (text: string) => void
}

export async function startServer({
  databasePath,
  databaseUrl = `sqlite:${databasePath}`,
  port,
  defaultReminders = 'PT15M',
  channels,
  onOutput,
}: ServerOptions): Promise<ServerProcess> {
  const listenOn = port ?? (await freePort())
  const flags = [
    `--port=${listenOn}`,
    `--database-url=${databaseUrl}`,
    `--default-reminders=${defaultReminders}`,
    '--time-zone=UTC',
  ]
  if (channels) {
    const configPath = `${databasePath}.config.json`
    writeFileSync(configPath, JSON.stringify({ channels }))
    flags.push(`--config=${configPath}`)
  }
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DUEBELL_')))
  const spawnedAt = performance.now()
  const child = spawn(process.execPath, [...duebell, 'serve', ...flags], {
    env,
    stdio: ['ignore', onOutput ? 'pipe' : 'ignore', 'inherit'],
  })
  child.stdout?.setEncoding('utf8').on('data', (text) => onOutput?.(text))
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${listenOn}`
  try {
    while (!(await isReady(url))) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`)
      if (performance.now() - spawnedAt > 30_000) throw new Error('the server was not ready within 30 s')
      await sleep(2)
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  const readyMs = performance.now() - spawnedAt
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await exited
  }
  return { url, child, readyMs, stop, [Symbol.asyncDispose]: stop }
}

function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(`${url}/readyz`, { agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    }).on('error', () => resolve(false))
  })
}

/** Resident memory of a process in MB: in total, and the part that is shared with no file, such as Node's own program. Linux only. */
export function residentMb({ pid }: ChildProcess): { all: number; own: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1_024
  return { all: read('VmRSS'), own: read('RssAnon') }
}

/** Processor time of a process so far, in ms, in steps of 10. Linux only. */
export function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
