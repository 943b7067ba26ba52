#!/usr/bin/env node
import { createWriteStream, readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { setFlagsFromString } from 'node:v8'
import './compile-cache.js'

/** The process edge: only this file touches `process`. Exit codes: 0 stopped, 1 failed, 2 cannot start as it was told to. */

// While sources are loaded, and the app is made, the young generation does not grow, since it never shrinks again: 11 MB.
setFlagsFromString('--semi-space-growth-factor=1')
const { startApp } = await import('#app.ts')
const { systemClock } = await import('#clock.ts')
const { ConfigError, describeConfig, readConfig } = await import('#config/config.ts')
const { redact } = await import('#core/redact.ts')
const { Problem } = await import('#core/problem.ts')

const usage = `Usage: duebell serve [options]
       duebell token create [options]

Tasks that fire before they are due. Serves until it gets SIGTERM or SIGINT.

Options go over variables, those over the file, that over the defaults. NAME_FILE reads a variable from a file.

${describeConfig()}
  --help, --version`

const exitHardMs = 9_500

async function main(): Promise<void> {
  const [command, ...argv] = process.argv.slice(2)
  if (command === 'token') return makeToken(argv)
  if (argv.includes('--help') || command === '--help' || command === 'help' || command === undefined)
    return print(usage, command === undefined ? 2 : 0)
  if (command === '--version')
    return print(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version, 0)
  if (command !== 'serve')
    return complain(`«${command}» is not a command. There are: serve, token create. See --help.`, 2)
  await serve(argv)
}

/** The commands of those who are on the server itself; what they need is loaded by them alone. */
async function makeToken([verb, ...argv]: readonly string[]): Promise<void> {
  const { tokenCreate, tokenUsage } = await import('#cli/token.ts')
  if (verb === '--help' || argv.includes('--help')) return print(tokenUsage, 0)
  if (verb !== 'create') return complain(`token ${verb ?? ''}: there is «token create». See token --help.`, 2)
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

  // Not process.stdout: writing to that blocks the whole process while the reader of a pipe stalls.
  const stream = createWriteStream('', { fd: 1, autoClose: false })
  stream.on('error', () => {}) // nobody reads any more; the server is still a server
  const output = {
    isTTY: isatty(1),
    get writableLength() {
      return stream.writableLength
    },
    write: (text: string, done?: (error?: Error | null) => void) => stream.write(text, done),
  }

  const app = await startApp(config, {
    clock: systemClock,
    output,
    onBroken(error) {
      complain(`The storage failed: ${(error as Error).message}. Stopping, so that the next start can recover.`, 1)
      process.exit()
    },
  })

  setFlagsFromString('--semi-space-growth-factor=2')
  for (const warning of warnings) app.log.warn(warning)

  let isStopping = false
  const stop = (signal: string) => {
    if (isStopping) process.exit(1) // asked twice: at once
    isStopping = true
    app.log.info(`${signal}: finishing what is in flight`)
    setTimeout(() => process.exit(1), exitHardMs).unref()
    app.stop().then(
      () => stream.write('', () => process.exit(0)),
      (error) => {
        complain(String(error), 1)
        process.exit()
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function print(text: string, code: number) {
  process.stdout.write(`${text}\n`)
  process.exitCode = code
}

function complain(text: string, code: number) {
  process.stderr.write(`duebell: ${redact(text)}\n`)
  process.exitCode = code
}

/** As Node ends by itself, but with what an error says alone: it would show all that hangs on one, such as a statement with its values. */
process.on('uncaughtException', (error) => {
  complain(error?.stack ?? String(error), 1) // anything can be thrown
  process.exit()
})

main().catch((error: unknown) => {
  if (error instanceof ConfigError) return complain(error.faults.join('\nduebell: '), 2)
  if (error instanceof Problem) return complain(error.message, 2)
  complain((error as Error).stack ?? String(error), 1)
  process.exit()
})
