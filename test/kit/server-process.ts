import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The server as people run it: a process of its own, with its own environment. */
export interface ServerProcess {
  readonly child: ChildProcess
  /** Where it listens; rejects when it ends before it does. */
  readonly ready: Promise<string>
  /** How it ended; resolves when all it wrote has been read. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** What it wrote. */
  readonly output: { stdout: string; stderr: string }
}

/** Options of `node` by which compiled sources are kept, as `npm start` has them: a process takes half the CPU time to start. */
export const compileCache = ['--import', new URL('../../src/compile-cache.js', import.meta.url).href] as const
/** The arguments of `node` by which `npm start` runs Duebell. */
export const duebell = [...compileCache, fileURLToPath(new URL('../../src/main.ts', import.meta.url))] as const

/** Runs `serve` with these flags, on a free port, and kills it at the end of the test at the latest. */
export function spawnServer(
  t: TestContext,
  flags: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): ServerProcess {
  const child = spawn(process.execPath, [...duebell, 'serve', '--port', '0', '--log-format', 'json', ...flags], {
    env: { PATH: process.env.PATH, TZ: 'UTC', ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const ready = new Promise<string>((resolve, reject) => {
    let isListening = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text
      if (isListening) return
      const [, url] = /Duebell \S+ is listening on ((?:https?|unix):[^ ,"]+)/.exec(output.stdout) ?? []
      if (url === undefined) return
      isListening = true
      resolve(url)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text
    })
    ended.then(({ code, signal }) => reject(new Error(`ended with ${code ?? signal}: ${output.stderr}`)))
  })
  ready.catch(() => {}) // whoever cares awaits it
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, ready, ended, output }
}

/** Asks until it is so, at most for so long: for what happens in another process. */
export async function eventually(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 30_000) {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
