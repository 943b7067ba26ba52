import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** A process that a test started, and all its output. */
export interface TestProcess {
  readonly child: ChildProcess
  /** Its exit; resolves when all its output has been read. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly output: { stdout: string; stderr: string }
}

/** The server as `npm start` runs it: a process of its own, with its own environment. */
export interface ServerProcess extends TestProcess {
  /** The URL that it listens at; rejects if it ends before. */
  readonly ready: Promise<string>
}

/** Options of `node` that store compiled sources, as `npm start` uses them: they halve the CPU time of a start. */
export const compileCache = ['--import', new URL('../../src/compile-cache.js', import.meta.url).href] as const
/** The arguments of `node` with which `npm start` runs Duebell. */
export const duebell = [...compileCache, fileURLToPath(new URL('../../src/main.ts', import.meta.url))] as const

/** Runs `node` with these arguments, and kills it at the end of the test at the latest. Standard input stays open until then. */
export function spawnNode(
  t: Pick<TestContext, 'after'>,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string | undefined } = {},
): TestProcess {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(process.execPath, args, {
    ...options,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  child.stdin.on('error', () => {}) // it may have ended
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, ended, output }
}

/** Runs `serve` with these flags, on a free port. */
export function spawnServer(
  t: Pick<TestContext, 'after'>,
  flags: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): ServerProcess {
  const args = [...duebell, 'serve', '--port', '0', '--log-format', 'json', ...flags]
  return whenListening(spawnNode(t, args, { env: { PATH: process.env.PATH, TZ: 'UTC', ...env }, cwd }))
}

/** Adds `ready` to a process that logs its URL. */
export function whenListening(started: TestProcess): ServerProcess {
  const { child, ended, output } = started
  const ready = new Promise<string>((resolve, reject) => {
    const search = () => {
      const [, url] = /Duebell \S+ is listening on ((?:https?|unix):[^ ,"]+)/.exec(output.stdout) ?? []
      if (url === undefined) return
      child.stdout?.off('data', search)
      resolve(url)
    }
    child.stdout?.on('data', search)
    ended.then(({ code, signal }) => reject(new Error(`ended with ${code ?? signal}: ${output.stderr}`)))
  })
  ready.catch(() => {}) // handled by those who await it
  return { ...started, ready }
}
