import { type ChildProcess, spawn } from 'node:child_process'
import { homedir } from 'node:os'
// The only use of `process` here: a process group can be killed by its id alone.
import { kill } from 'node:process'
import type { Outcome } from '#core/delivery.ts'
import Type from '#json-schema.ts'
import type { Channel, ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { oneLine, truncate } from './message-text.ts'

/**
 * A program of the administrator. Each notification starts it once, with a CloudEvent 1.0 as JSON on its standard input. It runs without a
 * shell, and its arguments contain nothing of a task: titles arrive as data only. Exit status 0 means sent, 78 (EX_CONFIG of sysexits.h)
 * means no retry, and any other status means retry.
 */
const options = Type.Object(
  {
    argv: Type.Array(Type.String({ maxLength: 4_096, pattern: '^[^\\u0000]*$' }), {
      title: 'Program and arguments',
      description:
        'The program, preferably by its absolute path, and its arguments as separate items; no shell parses them',
      minItems: 1,
      maxItems: 64,
    }),
  },
  { additionalProperties: false },
)

/**
 * The path of a login shell. The server's own environment is not passed on: its configuration may hold passwords, which every child of the
 * program could read.
 */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const configurationExitCode = 78
/** Characters of standard error that are kept; the rest is discarded. */
const maxKeptLength = 4_096
/** Characters of standard error. A program that writes more is killed, and the attempt has failed. */
const maxWrittenLength = 1024 * 1024
const maxLineLength = 200
/** How long to read standard error after the program has exited. A child that it left behind may keep the pipe open. */
const drainMs = 100

export const commandKind: ChannelKind<typeof options> = {
  kind: 'command',
  label: 'Command',
  about:
    'A program on this machine that reads a CloudEvent from its standard input. Only the configuration file may define it.',
  options,
  isConfigOnly: true,
  concurrency: 4,
  async open({ argv }, { toEvent }): Promise<Channel> {
    const [program, ...rest] = argv as [string, ...string[]]
    const closing = new AbortController()
    return {
      async send(message, signal) {
        const environment = { PATH: path, HOME: homedir(), LANG: 'C.UTF-8', DUEBELL_DELIVERY_ID: message.deliveryId }
        const child = spawn(program, rest, {
          env: environment,
          shell: false,
          // Its own process group, so that its children are killed with it.
          detached: true,
          stdio: ['pipe', 'ignore', 'pipe'],
        })
        return outcomeOf(child, JSON.stringify(toEvent(message)), AbortSignal.any([signal, closing.signal]))
      },
      async [Symbol.asyncDispose]() {
        closing.abort()
      },
    }
  },
}

function outcomeOf(child: ChildProcess, input: string, signal: AbortSignal): Promise<Outcome> {
  const { stdin, stderr } = child
  let stderrText = ''
  let writtenLength = 0
  const overflow = new AbortController()
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderrText.length < maxKeptLength) stderrText += text
    writtenLength += text.length
    if (writtenLength > maxWrittenLength) overflow.abort('endless')
  })
  // A program may succeed without reading its input.
  stdin?.on('error', () => {})
  stdin?.end(input)
  return new Promise((resolve, reject) => {
    const end = (complete: () => void) => {
      signal.removeEventListener('abort', abort)
      overflow.signal.removeEventListener('abort', abort)
      clearTimeout(drainTimer)
      stdin?.destroy()
      stderr?.destroy()
      complete()
    }
    const abort = () => {
      killGroup(child)
      const reason = overflow.signal.aborted ? 'the program wrote more than 1 MiB to standard error' : 'timed out'
      end(() => reject(new Unreachable(reason)))
    }
    let drainTimer: NodeJS.Timeout | undefined
    child.once('error', (error: NodeJS.ErrnoException) =>
      end(() => reject(new Unreachable(`the program cannot be started: ${error.code}`))),
    )
    child.once('exit', (code, signalName) => {
      const finish = () => end(() => resolve(toOutcome(code, signalName, stderrText)))
      drainTimer = setTimeout(finish, drainMs)
      child.once('close', finish)
    })
    signal.addEventListener('abort', abort, { once: true })
    overflow.signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
}

/** SIGKILL without SIGTERM first: the program has had its time. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  // The id of an ended process may belong to another one.
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

/** The reason includes the first line of standard error: the program belongs to the administrator who reads it. */
function toOutcome(code: number | null, signalName: string | null, stderrText: string): Outcome {
  if (code === 0) return 'sent'
  const line = truncate(oneLine(stderrText.trimStart().split(/[\r\n]/, 1)[0] ?? ''), maxLineLength)
  const end = signalName ? `ended by ${signalName}` : `exit status ${code}`
  return { retry: code !== configurationExitCode, reason: line ? `${end}: ${line}` : end }
}
