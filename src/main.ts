#!/usr/bin/env node
import { createWriteStream, readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { setFlagsFromString } from 'node:v8'
import type { App } from '#app.ts'
import './compile-cache.js'

/** The edge of the process: only this file uses `process`. Exit codes: 0 stopped, 1 failed, 2 invalid usage or configuration. */

// The young generation must not grow while the app loads and starts, since it never shrinks again: 11 MB.
setFlagsFromString('--semi-space-growth-factor=1')
const { startApp } = await import('#app.ts')
const { systemClock } = await import('#clock.ts')
const { ConfigError, describeConfig, readConfig } = await import('#config/config.ts')
const { redact } = await import('#core/redact.ts')
const { Problem } = await import('#core/problem.ts')

const usage = `Usage: duebell serve [options]
       duebell token create [options]

A self-hosted reminder server with a REST API. Runs until it receives SIGTERM or SIGINT.

Options override environment variables, which override the configuration file. NAME_FILE reads a variable from a file.

${describeConfig()}
  --help, --version`

/** After a signal, the process exits after this long in any case. */
const forcedExitMs = 9_500

async function main(): Promise<void> {
  const [command, ...argv] = process.argv.slice(2)
  if (command === 'token') return runTokenCommand(argv)
  if (argv.includes('--help') || command === '--help' || command === 'help' || command === undefined)
    return print(usage, command === undefined ? 2 : 0)
  if (command === '--version')
    return print(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version, 0)
  if (command !== 'serve')
    return printError(`«${command}» is not a command. Commands: serve, token create. See --help.`, 2)
  await serve(argv)
}

/** Commands for administrators on the machine itself. Their modules are loaded only when needed. */
async function runTokenCommand([verb, ...argv]: readonly string[]): Promise<void> {
  const { tokenCreate, tokenUsage } = await import('#cli/token.ts')
  if (verb === '--help' || argv.includes('--help')) return print(tokenUsage, 0)
  if (verb !== 'create')
    return printError(`token ${verb ?? ''} is not a command. Use «token create». See token --help.`, 2)
  const { token, about } = await tokenCreate({
    argv,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    systemTimeZone: Temporal.Now.timeZoneId(),
    clock: systemClock,
  })
  process.stderr.write(`${about}\n`)
  print(token, 0)
}

async function serve(argv: readonly string[]): Promise<void> {
  const { config, warnings } = readConfig({
    argv,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    systemTimeZone: Temporal.Now.timeZoneId(),
  })

  // Not process.stdout, which blocks the whole process while the reader of a pipe stalls.
  const stream = createWriteStream('', { fd: 1, autoClose: false })
  stream.on('error', () => {}) // the reader is gone; the server goes on
  const output = {
    isTTY: isatty(1),
    get writableLength() {
      return stream.writableLength
    },
    write: (text: string, done?: (error?: Error | null) => void) => stream.write(text, done),
  }

  // Before the start: reminders fire and requests arrive before it has ended, and a signal must not cut them off.
  let app: App | undefined
  const stopping = new AbortController()
  const onSignal = (signal: string) => {
    if (stopping.signal.aborted) process.exit(1) // a second signal stops at once
    stopping.abort(signal)
    setTimeout(() => process.exit(1), forcedExitMs).unref()
    if (app) stop(app, signal)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  const stop = (app: App, signal: string) => {
    app.log.info(`${signal}: finishing the work in progress`)
    app.stop().then(
      () => stream.write('', () => process.exit(0)),
      (error) => {
        printError(String(error), 1)
        process.exit()
      },
    )
  }

  try {
    app = await startApp(config, {
      clock: systemClock,
      zoneRules: process.versions.tz ?? '',
      output,
      onBroken(error) {
        printError(`The storage failed: ${(error as Error).message}. Stopping, so that the next start can recover.`, 1)
        process.exit()
      },
      stopping: stopping.signal,
    })
  } catch (error) {
    if (stopping.signal.aborted && error === stopping.signal.reason) return
    throw error
  }
  if (stopping.signal.aborted) return stop(app, stopping.signal.reason)

  setFlagsFromString('--semi-space-growth-factor=2')
  for (const warning of warnings) app.log.warn(warning)
}

function print(text: string, code: number) {
  process.stdout.write(`${text}\n`)
  process.exitCode = code
}

function printError(text: string, code: number) {
  process.stderr.write(`duebell: ${redact(text)}\n`)
  process.exitCode = code
}

/** Ends the process as Node does, but prints only the stack: Node also prints an error's properties, such as a statement with its values. */
process.on('uncaughtException', (error) => {
  printError(error?.stack ?? String(error), 1) // any value can be thrown
  process.exit()
})

main().catch((error: unknown) => {
  if (error instanceof ConfigError) return printError(error.faults.join('\nduebell: '), 2)
  if (error instanceof Problem) return printError(error.message, 2)
  printError((error as Error).stack ?? String(error), 1)
  process.exit()
})
